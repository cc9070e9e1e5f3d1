/* A category's id from 1; `rest` for what training did not see, which is refused if that is -1. */
static int32_t seen(const char *column, const char *field, const char *empty, const char *const *words, int count, int32_t rest)
{
    const char *text = present(field);
    const int32_t id = category(field, empty, words, count);
    if (text == NULL || id > 0 || (empty != NULL && strcmp(text, empty) == 0))
        return id;
    if (rest < 0)
        refuse(column, "this was not in the training rows");
    return rest;
}

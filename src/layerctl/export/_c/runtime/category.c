/* A category's id from 1; 0 for what training did not see. `empty` stands for a missing value where there is a text for it. */
static int32_t category(const char *field, const char *empty, const char *const *words, int count)
{
    const char *text = present(field);
    text = text == NULL ? empty : text;
    return text == NULL ? 0 : place_of(text, words, count) + 1;
}

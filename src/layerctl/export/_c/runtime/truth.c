/* One of two values as a number; `empty` where it is missing, `rest` for other words; either is refused if that is NAN. */
static float truth(const char *column, const char *field, const char *const *words, const float *values, int count, float empty, float rest)
{
    const char *text = present(field);
    const int place = text == NULL ? -1 : place_of(text, words, count);
    if (place >= 0)
        return values[place];
    if (text == NULL && !(empty == empty))
        refuse(column, "a value is missing");
    if (text != NULL && !(rest == rest))
        refuse(column, "this was not in the training rows");
    return text == NULL ? empty : rest;
}

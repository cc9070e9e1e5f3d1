/* Whether a text is a number: digits with a point, an exponent. */
static int is_number(const char *p)
{
    int digits = 0;
    p += *p == '+' || *p == '-';
    for (; *p >= '0' && *p <= '9'; p++)
        digits++;
    if (*p == '.')
        for (p++; *p >= '0' && *p <= '9'; p++)
            digits++;
    if (digits > 0 && (*p == 'e' || *p == 'E')) {
        p++;
        p += *p == '+' || *p == '-';
        for (digits = 0; *p >= '0' && *p <= '9'; p++)
            digits++;
    }
    return digits > 0 && *p == 0;
}

/* A column's number; `empty` where it is missing, which is an error if that is NAN. */
static double number(const char *column, const char *field, double empty)
{
    const char *text = present(field);
    double x;
#ifdef DECIMAL_COMMA
    static char plain[LONGEST_RECORD + 1];
    if (text != NULL) {
        char *to = plain;
        for (; *text != 0; text++)
            if (*text != '.')
                *to++ = *text == ',' ? '.' : *text;
        *to = 0;
        text = plain;
    }
#endif
    if (text == NULL) {
        if (!(empty == empty))
            refuse(column, "a value is missing");
        return empty;
    }
    if (!is_number(text))
        refuse(column, "this is not a number");
    x = strtod(text, NULL);
    if (x - x != 0)
        refuse(column, "this is too large for a number");
    return x;
}

static int has(const char *characters, uint32_t wanted)
{
    while (*characters != 0)
        if (code_point(&characters) == wanted)
            return 1;
    return 0;
}

/* Whether a comma is the decimal sign: a point does not count, and no letter does either. */
static int comma_counts(const char *strip)
{
    const char *p = strip;
    for (; *p != 0; p++)
        if (*p == ',' || (*p >= 'A' && *p <= 'Z') || (*p >= 'a' && *p <= 'z'))
            return 0;
    return strchr(strip, '.') != NULL;
}

/* Whether a point stands behind a letter. */
static int shortens(const char *text, const char *point)
{
    return point != text && ((point[-1] >= 'A' && point[-1] <= 'Z') || (point[-1] >= 'a' && point[-1] <= 'z'));
}

/* A field without the characters of `strip`, which do not count, and without blanks around what is left; parentheses, a typographic
   minus and a minus at an end among them make it negative, and nothing in brackets behind something counts. */
static const char *without(const char *field, const char *strip)
{
    static char plain[LONGEST_RECORD + 2];
    const char *p;
    const char *kept;
    char *to = plain + 1;
    int negative = 0;
    int shortened = 0;
    for (p = strip; *p != 0; p++)
        shortened = shortened || (*p == '.' && shortens(strip, p));
    p = field;
    if (present(field) == NULL)
        return field;
    while (*p != 0) {
        const char *start = p;
        const uint32_t c = code_point(&p);
        if (c == '[' && has(strip, c) && to != plain + 1 && strchr(p, ']') != NULL && strcspn(p, "[]") == strcspn(p, "]")) {
            p = strchr(p, ']') + 1;
        } else if (c == '.' && shortened ? !shortens(field, start) : !has(strip, c)) {
            memcpy(to, start, (size_t)(p - start));
            to += p - start;
        } else if (c == '(' || c == 0x2212 || c == 0x2013 || (c == '-' && (start == field || *p == 0))) {
            negative = 1;
        }
    }
    *to = 0;
    if (comma_counts(strip))
        for (to = plain + 1; *to != 0; to++)
            *to = *to == ',' ? '.' : *to;
    kept = stripped(plain + 1);
    if (!negative || *kept == 0)
        return kept;
    to = plain + (kept - plain) - 1;
    *to = '-';
    return to;
}

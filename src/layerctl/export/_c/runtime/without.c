static int has(const char *characters, uint32_t wanted)
{
    while (*characters != 0)
        if (code_point(&characters) == wanted)
            return 1;
    return 0;
}

/* A field without the characters of `strip`, which do not count, and without blanks around what is left. */
static const char *without(const char *field, const char *strip)
{
    static char plain[LONGEST_RECORD + 1];
    const char *p = field;
    char *to = plain;
    if (present(field) == NULL)
        return field;
    while (*p != 0) {
        const char *start = p;
        if (!has(strip, code_point(&p))) {
            memcpy(to, start, (size_t)(p - start));
            to += p - start;
        }
    }
    *to = 0;
    return stripped(plain);
}

struct moment {
    int year, month, day;
};

/* How many bytes a month's name takes at p, with a dot behind it; 0 if another word stands there. */
static int named(const char *p, const char *word)
{
    int n = 0;
    while (word[n] != 0 && (p[n] >= 'A' && p[n] <= 'Z' ? p[n] + 32 : p[n]) == word[n])
        n++;
    if (word[n] != 0 || (p[n] >= 'a' && p[n] <= 'z') || (p[n] >= 'A' && p[n] <= 'Z') || (unsigned char)p[n] >= 0x80)
        return 0;
    return n + (p[n] == '.');
}

/* How many bytes behind a day's number make it an ordinal, with `of` behind them; 0 if none do. */
static int ordinal(const char *p)
{
    static const char *const ends[] = {"st", "nd", "rd", "th"};
    int i, n;
    for (i = 0; i < 4; i++) {
        if ((n = named(p, ends[i])) == 0 || p[n - 1] == '.')
            continue;
        for (i = n; is_space((uint32_t)(unsigned char)p[i]); i++)
            continue;
        return i > n && named(p + i, "of") == 2 ? i + 2 : n;
    }
    return 0;
}

/* Whether a text is of a form; each number takes as many digits as it can while the rest still fits. */
static int is_of_form(const char *p, const char *form, struct moment *found)
{
    static const char *const names[] = {"january", "february", "march", "april", "may", "june",
                                        "july", "august", "september", "october", "november", "december"};
    int width, least, low = 0, high = 9999;
    struct moment tried;
    if (*form == 0)
        return *p == 0;
    if (is_space((uint32_t)(unsigned char)*form)) {
        const char *rest = p;
        while (is_space((uint32_t)(unsigned char)*form))
            form++;
        if (*p == 0 || !is_space(code_point(&rest)))
            return 0;
        while (*(p = rest) != 0 && is_space(code_point(&rest)))
            continue;
        return is_of_form(p, form, found);
    }
    if (*form != '%' || form[1] == '%')
        return *p == *form && is_of_form(p + 1, form + 1 + (*form == '%'), found);
    if (form[1] == 'b' || form[1] == 'B') {
        int m, i;
        for (m = 0; m < 12; m++) {
            const int size = form[1] == 'b' ? 3 : (int)strlen(names[m]);
            for (i = 0; i < size && (p[i] == names[m][i] || p[i] == names[m][i] - 32); i++)
                continue;
            found->month = m + 1;
            if (i == size && is_of_form(p + size, form + 2, found))
                return 1;
        }
        for (m = 0; m < (int)(sizeof months / sizeof months[0]); m++) {
            const int size = named(p, months[m].word);
            found->month = months[m].number;
            if (size != 0 && is_of_form(p + size, form + 2, found))
                return 1;
        }
        return 0;
    }
    least = form[1] == 'Y' ? 4 : form[1] == 'y' ? 2 : 1;
    low = form[1] == 'd' || form[1] == 'm';
    high = form[1] == 'm' ? 12 : form[1] == 'd' ? 31 : form[1] == 'H' ? 23 : form[1] == 'M' ? 59 : form[1] == 'S' ? 61 : 9999;
    for (width = least > 2 ? least : 2; width >= least; width--) {
        const char *q = p;
        const int n = digits(&q, width);
        if (n < low || n > high)
            continue;
        tried = *found;
        if (form[1] == 'Y')
            tried.year = n;
        if (form[1] == 'y')
            tried.year = n + (n < 69 ? 2000 : 1900);
        if (form[1] == 'm')
            tried.month = n;
        if (form[1] == 'd')
            tried.day = n;
        if (is_of_form(q, form + 2, &tried)) {
            *found = tried;
            return 1;
        }
        if (form[1] == 'd' && ordinal(q) != 0 && is_of_form(q + ordinal(q), form + 2, &tried)) {
            *found = tried;
            return 1;
        }
    }
    return 0;
}

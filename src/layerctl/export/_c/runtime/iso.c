/* Hours, minutes, seconds, and how far they are from Greenwich: checked and passed over. */
static int is_time(const char *p, int zone)
{
    static const int most[] = {23, 59, 59};
    int part, colon = 0;
    for (part = 0; part < 3; part++) {
        const int n = digits(&p, 2);
        if (n < 0 || n > most[part])
            return 0;
        if (part == 0)
            colon = *p == ':';
        if (part == 2 || *p == 0 || *p == '+' || *p == '-' || *p == 'Z')
            break;
        if (colon && *p++ != ':')
            return 0;
    }
    if (part == 2 && (*p == '.' || *p == ',')) {
        p++;
        if (digits(&p, 1) < 0)
            return 0;
        while (*p >= '0' && *p <= '9')
            p++;
    }
    if (*p == 'Z' && zone)
        return p[1] == 0;
    return *p == 0 || ((*p == '+' || *p == '-') && zone && is_time(p + 1, 0));
}

/* The day's number of an ISO 8601 date, with a time behind it or not; 0 if it is none. */
static int day_of(const char *p)
{
    const int year = digits(&p, 4), dashed = *p == '-';
    int day;
    p += dashed;
    if (year < 1)
        return 0;
    if (*p == 'W') {
        const int week = (p++, digits(&p, 2)), first = days_before_year(year) + 4, last = days_before_year(year + 1) + 4;
        const int monday = first - (first + 6) % 7, weeks = (last - (last + 6) % 7 - monday) / 7;
        int weekday = 1;
        if (week < 1 || week > weeks)
            return 0;
        if ((dashed && *p == '-') || (!dashed && *p >= '0' && *p <= '9')) {
            p += dashed;
            weekday = digits(&p, 1);
        }
        day = weekday < 1 || weekday > 7 ? 0 : monday + (week - 1) * 7 + weekday - 1;
    } else {
        const int month = digits(&p, 2);
        if (dashed && *p++ != '-')
            return 0;
        day = day_number(year, month, digits(&p, 2));
    }
    if (*p == 0)
        return day;
    code_point(&p);
    return is_time(p, 1) ? day : 0;
}

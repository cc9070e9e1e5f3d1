/* Days as their numbers from the first of January of year 1, as the Gregorian calendar runs backwards. */

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
}

static int days_before_year(int year)
{
    const int y = year - 1;
    return y * 365 + y / 4 - y / 100 + y / 400;
}

/* A day's number; 0 if there is no such day. */
static int day_number(int year, int month, int day)
{
    int n = days_before_year(year) + day, m;
    if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month))
        return 0;
    for (m = 1; m < month; m++)
        n += days_of_month(year, m);
    return n;
}

static int month_of(int number)
{
    int year = 1, month = 1;
    year = number / 366 + 1;
    while (days_before_year(year + 1) < number)
        year++;
    number -= days_before_year(year);
    while (number > days_of_month(year, month))
        number -= days_of_month(year, month++);
    return month;
}

/* `count` digits at *p, which moves on; -1 if there are fewer. */
static int digits(const char **p, int count)
{
    int n = 0;
    for (; count > 0; count--, (*p)++) {
        if (**p < '0' || **p > '9')
            return -1;
        n = n * 10 + (**p - '0');
    }
    return n;
}

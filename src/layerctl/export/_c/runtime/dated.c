/* A date as the scaled day, and its month and weekday one-hot: 20 floats. */
static void dated(const char *column, const char *field, const char *form, double empty, double centre, double spread, float *to)
{
    const char *text = present(field);
    double day = empty;
    int i;
    if (text != NULL) {
        const int n = parsed_day(text, form);
        if (n == 0)
            refuse(column, "this is not a date of the form that training had");
        day = n;
    }
    for (i = 0; i < 20; i++)
        to[i] = 0;
    to[0] = (float)((day - centre) / spread);
    to[month_of((int)day)] = 1;
    to[13 + ((int)day + 6) % 7] = 1;
}

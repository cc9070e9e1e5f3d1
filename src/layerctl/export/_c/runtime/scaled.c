/* A number as the model takes it. */
static float scaled(const char *column, const char *field, double empty, double centre, double spread)
{
    const double x = (number(column, field, empty) - centre) / spread;
    if (x > FLT_MAX || x < -FLT_MAX)
        refuse(column, "this is too large for a float");
    return (float)x;
}

enum outlying { CLIP, ERROR, MISSING };

/* A number as the model takes it; one outside `low` to `high` is brought inside, refused, or taken as a missing one. */
static float scaled_within(const char *column, const char *field, double empty, double centre, double spread, double low, double high,
                           enum outlying how)
{
    double x = number(column, field, empty);
    if (present(field) != NULL && (x < low || x > high)) {
        if (how == ERROR)
            refuse(column, "this is outside the range that the model takes");
        x = how == MISSING ? empty : x < low ? low : high;
    }
    x = (x - centre) / spread;
    if (x > FLT_MAX || x < -FLT_MAX)
        refuse(column, "this is too large for a float");
    return (float)x;
}

/* The place of a text among sorted ones, or -1. */
static int place_of(const char *text, const char *const *sorted, int count)
{
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const int order = strcmp(sorted[middle], text);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return -1;
}

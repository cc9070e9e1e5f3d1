static uint32_t lower(uint32_t c)
{
    int low = 0, high = (int)(sizeof lowerings / sizeof lowerings[0]);
    while (low < high) {
        const int middle = low + (high - low) / 2;
        const struct lowering *r = lowerings + middle;
        if (c < r->first)
            high = middle;
        else if (c > r->last)
            low = middle + 1;
        else
            return (c - r->first) % r->step == 0 ? (uint32_t)((int32_t)c + r->change) : c;
    }
    return c;
}

/* Whether the capital sigma at a place ends a word: a cased letter stands before it and none behind. */
static int ends_word(int at, int size)
{
    int i;
    for (i = at - 1; i >= 0 && IN(letters[i], case_ignorable); i--)
        continue;
    if (i < 0 || !IN(letters[i], cased))
        return 0;
    for (i = at + 1; i < size && IN(letters[i], case_ignorable); i++)
        continue;
    return i == size || !IN(letters[i], cased);
}

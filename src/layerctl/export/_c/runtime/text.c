/* A text as ids of its tokens: 0 is padding, 1 a token that was not kept, 2 and on the vocabulary. */

struct vocabulary {
    const char *const *words;
    const int32_t *ids;
    int count, longest;
};

static uint32_t letters[LONGEST_RECORD + 1];

static int in_ranges(uint32_t c, const uint32_t (*ranges)[2], int count)
{
    int low = 0, high = count;
    while (low < high) {
        const int middle = low + (high - low) / 2;
        if (c < ranges[middle][0])
            high = middle;
        else if (c > ranges[middle][1])
            low = middle + 1;
        else
            return 1;
    }
    return 0;
}

static int utf8(uint32_t c, char *to)
{
    int more = c < 0x80 ? 0 : c < 0x800 ? 1 : c < 0x10000 ? 2 : 3, i;
    if (more == 0) {
        to[0] = (char)c;
        return 1;
    }
    for (i = more; i > 0; i--, c >>= 6)
        to[i] = (char)(0x80u | (c & 0x3Fu));
    to[0] = (char)((0xF80u >> more & 0xFFu) | c);
    return more + 1;
}

static int32_t token_id(const uint32_t *token, int size, const struct vocabulary *v)
{
    char text[LONGEST_WORD + 5];
    int length = 0, i;
    for (i = 0; i < size; i++) {
        length += utf8(token[i], text + length);
        if (length > v->longest)
            return 1;
    }
    text[length] = 0;
    i = place_of(text, v->words, v->count);
    return i < 0 ? 1 : v->ids[i];
}

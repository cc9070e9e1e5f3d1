enum { WORDS, WHITESPACE, CHARACTERS };

static int is_word(uint32_t c)
{
    return IN(c, word_letters);
}

/* Cuts a text into tokens and writes their ids; what is longer than `length` is left out. */
static void tokenize(const char *field, int split, int lowercase, const struct vocabulary *v, int32_t *ids, int length)
{
    const char *text = present(field);
    int size = 0, made = 0, at, end;
    if (text != NULL)
        while (*text != 0)
            letters[size++] = code_point(&text);
    if (lowercase)
        for (at = size - 1; at >= 0; at--)
            if (letters[at] == 0x3A3)
                letters[at] = ends_word(at, size) ? 0x3C2 : 0x3C3;
    for (at = 0; lowercase && at < size; at++) {
        if (letters[at] == 0x130) { /* the dotted capital I becomes two letters */
            memmove(letters + at + 2, letters + at + 1, (size_t)(size - at - 1) * sizeof letters[0]);
            letters[at] = 'i';
            letters[++at] = 0x307;
            size++;
        } else {
            letters[at] = lower(letters[at]);
        }
    }
    for (at = 0; at < size && made < length; at = end) {
        end = at + 1;
        if (split == WORDS && is_word(letters[at])) {
            while (end < size && is_word(letters[end]))
                end++;
            if (end + 1 < size && letters[end] == '\'' && is_word(letters[end + 1]))
                for (end++; end < size && is_word(letters[end]);)
                    end++;
        } else if (split == WHITESPACE && !is_space(letters[at])) {
            while (end < size && !is_space(letters[end]))
                end++;
        } else if (split != CHARACTERS && is_space(letters[at])) {
            continue;
        }
        ids[made++] = token_id(letters + at, end - at, v);
    }
    while (made < length)
        ids[made++] = 0;
}

/* Rows of a table from standard input, a record at a time, as RFC 4180 and its relatives write them. */

static char record[LONGEST_RECORD + 1];
static const char *fields[MOST_FIELDS];
static int field_count;
static long lines_read, record_line;

static void refuse(const char *column, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "<stdin>:%ld: error: ", record_line);
    if (column != NULL)
        fprintf(stderr, "column '%s': ", column);
    fprintf(stderr, "%s\n", what);
    exit(2);
}

/* The code point at *p, which moves on; U+FFFD for bytes that are no UTF-8. */
static uint32_t code_point(const char **p)
{
    const unsigned char *s = (const unsigned char *)*p;
    const int more = s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 1 : s[0] < 0xF0 ? 2 : s[0] < 0xF5 ? 3 : 0;
    uint32_t c = more == 0 ? s[0] : s[0] & (0x3Fu >> more);
    int i;
    for (i = 1; i <= more; i++) {
        const unsigned char low = i > 1 ? 0x80 : s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
        const unsigned char high = i > 1 ? 0xBF : s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
        if (s[i] < low || s[i] > high) {
            *p += i;
            return 0xFFFD;
        }
        c = c << 6 | (s[i] & 0x3Fu);
    }
    *p += more + 1;
    return more == 0 && s[0] >= 0x80 ? 0xFFFD : c;
}

static int is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
           c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* A text without blanks around it, changed in place. */
static const char *stripped(char *text)
{
    const char *start = text, *p = text;
    char *end = text;
    while (*p != 0) {
        const int blank = is_space(code_point(&p));
        if (blank && end == text)
            start = p;
        else if (!blank)
            end = text + (p - text);
    }
    if (end == text)
        return "";
    *end = 0;
    return start;
}

static int next_character(void)
{
    int c = getchar();
    if (c == '\r') {
        c = getchar();
        if (c != '\n' && c != EOF)
            ungetc(c, stdin);
        c = '\n';
    }
    if (c == '\n')
        lines_read++;
    return c;
}

static char *keep(char *to, int c)
{
    if (to >= record + LONGEST_RECORD)
        refuse(NULL, "this record is longer than LONGEST_RECORD, with which the program was compiled");
    if (c == 0)
        refuse(NULL, "the file has a NUL byte: it is not text");
    *to = (char)c;
    return to + 1;
}

/* The next record that is not blank, cut into fields; 0 at the end. */
static int read_record(void)
{
    enum { START, PLAIN, QUOTED, CLOSED } state;
    int c = 0;
    while (c != EOF) {
        char *to = record, *start = record;
        int filled = 0, first = 1;
        record_line = lines_read + 1;
        field_count = 0;
        state = START;
        for (;;) {
            c = next_character();
            if (first && c == COMMENT) {
                while (c != EOF && c != '\n')
                    c = next_character();
                break;
            }
            first = 0;
            if (c == ESCAPE && state != CLOSED && (c = next_character()) != EOF) {
                to = keep(to, c);
                state = state == START ? PLAIN : state;
                continue;
            }
#ifdef RUNS
            if (c == '\t')
                c = ' ';
            if (state == START && field_count > 0 && (c == '\n' || c == EOF))
                break;
            if (state == START && c == ' ')
                continue;
#endif
            if (c == EOF || (c == '\n' && state != QUOTED) || (c == DELIMITER && state != QUOTED)) {
                if (c == EOF && to == record && field_count == 0)
                    break;
                if (field_count == MOST_FIELDS)
                    refuse(NULL, "this record has more fields than MOST_FIELDS, with which the program was compiled");
                to = keep(to, ' ');
                to[-1] = 0;
                fields[field_count] = stripped(start);
                filled |= fields[field_count++][0] != 0;
                start = to;
                state = START;
                if (c != DELIMITER)
                    break;
            } else if (state == QUOTED) {
                if (c == QUOTE)
                    state = CLOSED;
                else
                    to = keep(to, c);
            } else if (state == START && c == QUOTE) {
                state = QUOTED;
            } else if (state == START && c == ' ' && DELIMITER != ' ') {
                continue;
            } else {
                to = keep(to, c);
                state = state == CLOSED && c == QUOTE ? QUOTED : PLAIN;
            }
        }
        if (filled)
            return 1;
    }
    return 0;
}

/* A field's text; NULL where the value is missing. */
static const char *present(const char *text)
{
    size_t i;
    for (i = 0; i < sizeof missing_values / sizeof missing_values[0]; i++)
        if (strcmp(text, missing_values[i]) == 0)
            return NULL;
    return text;
}

#pragma once
/* Texts made of the option table and of the facts in docs.c. */
#include "base/buf.h"

void docs_write_version(struct buf *out);
void docs_write_help(struct buf *out);     /* plain text, 80 columns */
void docs_write_man(struct buf *out);      /* roff, section 1 */
void docs_write_markdown(struct buf *out); /* the README's option table */
void docs_write_bash(struct buf *out);
void docs_write_zsh(struct buf *out);
void docs_write_fish(struct buf *out);

/* What is true of the program beside its options; shared by help and man page. Lists end with NULL
 * names. */
struct docs_pair {
    const char *name, *text;
};
extern const char *const DOCS_SUMMARY;       /* "a durable task queue ..." */
extern const char *const DOCS_DESCRIPTION[]; /* paragraphs, NULL ends */
extern const struct docs_pair DOCS_SETTING[];
extern const struct docs_pair DOCS_EXIT_CODES[];
extern const struct docs_pair DOCS_SIGNALS[];
extern const struct docs_pair DOCS_FILES[];
extern const struct docs_pair DOCS_EXAMPLES[]; /* name: the command, text: what it does */

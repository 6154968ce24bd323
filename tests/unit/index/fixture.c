/* The tests' data directory. */
#include "fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "index/index_internal.h"

static void
open_set(struct fixture *f)
{
    f->set = index_set_open(f->dir, &f->err);
    assert_non_null(f->set);
    if (f->limits != NULL)
        index_set_limit_segments(f->set, f->limits);
    f->index = index_open(f->set, &f->uuid, &f->err);
    assert_non_null(f->index);
}

int
fixture_setup(void **state)
{
    struct fixture *f = mem_new(1, sizeof(*f));

    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-index-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    f->uuid = uuid_v4();
    open_set(f);
    *state = f;
    return 0;
}

static void
close_set(struct fixture *f)
{
    index_writer_abort(f->writer);
    f->writer = NULL;
    index_release(f->index);
    index_set_close(f->set);
}

int
fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];

    close_set(f);
    (void) snprintf(command, sizeof(command), "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    err_done(&f->err);
    free(f);
    return 0;
}

void
fixture_reopen(struct fixture *f)
{
    close_set(f);
    open_set(f);
}

void
fixture_begin(struct fixture *f)
{
    f->writer = index_writer_begin(f->index, &f->err);
    assert_non_null(f->writer);
}

void
fixture_commit(struct fixture *f, const char *applied)
{
    assert_int_equal(index_writer_commit(f->writer, str_from(applied), &f->err), 0);
    f->writer = NULL;
}

int
fixture_add(struct fixture *f, enum document_method method, const char *json, uint32_t marker)
{
    struct json_doc *doc = json_parse(str_from(json), NULL);
    struct buf id = BUF_INIT;
    struct index_add add = {
        .document = json_root(doc), .text = str_from(json), .method = method, .marker = marker};
    int rc;

    assert_int_equal(document_id(json_root(doc), STR("id"), &id, &f->err), 0);
    add.external_id = buf_str(&id);
    rc = index_writer_add(f->writer, &add, &f->err);
    buf_done(&id);
    json_doc_free(doc);
    return rc;
}

char *
fixture_get(struct fixture *f, const char *external_id)
{
    struct index_reader r;
    struct str text;
    char *copy = NULL;

    assert_int_equal(index_reader_open(&r, f->index), 0);
    if (index_reader_get(&r, str_from(external_id), &text) == 1)
        copy = mem_strndup(text.data, text.len);
    index_reader_close(&r);
    return copy;
}

char *
fixture_list(struct fixture *f)
{
    struct index_reader r;
    struct buf out = BUF_INIT;
    struct str text;
    uint32_t id = 0;

    assert_int_equal(index_reader_open(&r, f->index), 0);
    for (; index_reader_next(&r, id, &id, &text) == 1; id++)
        buf_addf(&out, "%u %.*s\n", id, STR_ARG(text));
    index_reader_close(&r);
    return buf_take(&out);
}

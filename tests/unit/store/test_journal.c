/* The journal file by itself: what is found again after which accident. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../support.h"
#include "codec/digest.h"
#include "faults.h"
#include "store/journal.h"
#include "store/rec.h"

enum { SLOT_BYTES = 4096, BLOCK_BYTES = 4096, RECORDS_AT = 2 * SLOT_BYTES, KEEP_BYTES = 1 << 20 };

struct fixture {
    char dir[64], path[96];
    struct journal *journal;
    struct buf found; /* what the last look found: the records, a comma behind each */
    struct err err;
};

static struct journal_base
base_of(uint8_t mark)
{
    struct journal_base base = {.page_bytes = 4096, .tables = STR("one\0two")};
    memset(base.metas, mark, sizeof(base.metas));
    return base;
}

static int
setup_direct(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));
    strcpy(f->dir, "/tmp/taskhook-journal-XXXXXX");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    (void) snprintf(f->path, sizeof(f->path), "%s/journal", f->dir);
    struct journal_base base = base_of(1);
    *state = f;
    return journal_create(&f->journal, f->path, &base);
}

static int
setup_plain(void **state)
{
    fault_refuse_direct(true);
    return setup_direct(state);
}

static int
teardown(void **state)
{
    struct fixture *f = *state;
    fault_clear();
    fault_refuse_direct(false);
    journal_close(f->journal);
    buf_done(&f->found);
    err_done(&f->err);
    (void) unlink(f->path);
    (void) rmdir(f->dir);
    test_free(f);
    return 0;
}

static int
append(struct fixture *f, struct str text)
{
    struct buf record = BUF_INIT;
    buf_add(&record, (char[JOURNAL_RECORD_HEAD_BYTES]){0}, JOURNAL_RECORD_HEAD_BYTES);
    buf_add_str(&record, text);
    int rc = journal_start(f->journal, &record);
    if (rc == 0)
        rc = journal_finish(f->journal);
    buf_done(&record);
    return rc;
}

static int
begin(struct fixture *f, uint8_t mark)
{
    struct journal_base base = base_of(mark);
    return journal_begin(f->journal, &base, KEEP_BYTES);
}

static int
note_record(void *arg, struct str record, struct err *err)
{
    struct fixture *f = arg;
    (void) err;
    buf_add_str(&f->found, record);
    buf_add_char(&f->found, ',');
    return 0;
}

/* As a start finds it; the result of opening or replaying. */
static int
look(struct fixture *f)
{
    struct journal *j;
    buf_clear(&f->found);
    err_done(&f->err);
    if (journal_open(&j, f->path, &f->err) != 0)
        return -1;
    assert_non_null(j);
    int rc = journal_replay(j, note_record, f, &f->err);
    buf_addf(&f->found, " after %d", journal_base(j)->metas[1][7]);
    journal_close(j);
    return rc;
}

static void
assert_finds(struct fixture *f, const char *expected)
{
    assert_int_equal(look(f), 0);
    assert_text(buf_str(&f->found), expected);
}

static void
change_byte(struct fixture *f, off_t at)
{
    char byte;
    int fd = open(f->path, O_RDWR);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    assert_int_equal(close(fd), 0);
}

static void
records_come_back_in_order(void **state)
{
    struct fixture *f = *state;
    assert_finds(f, " after 1");
    assert_int_equal(append(f, STR("first")), 0);
    assert_int_equal(append(f, STR("")), 0);
    assert_int_equal(append(f, STR("third")), 0);
    assert_finds(f, "first,,third, after 1");
}

static void
a_header_says_what_the_records_follow(void **state)
{
    struct fixture *f = *state;
    struct journal_base base = base_of(9);
    base.is_clean = true;
    base.data_bytes = UINT64_C(1) << 40;
    assert_int_equal(journal_begin(f->journal, &base, KEEP_BYTES), 0);
    journal_close(f->journal);
    assert_int_equal(journal_open(&f->journal, f->path, &f->err), 0);
    const struct journal_base *found = journal_base(f->journal);
    assert_true(found->is_clean);
    assert_int_equal(found->page_bytes, 4096);
    assert_int_equal(found->data_bytes, UINT64_C(1) << 40);
    assert_memory_equal(found->metas, base.metas, sizeof(base.metas));
    assert_true(str_equal(found->tables, base.tables));
}

static void
a_torn_last_record_is_dropped_wherever_it_ends(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("kept")), 0);
    off_t end = (off_t) (RECORDS_AT + journal_bytes(f->journal));
    assert_int_equal(append(f, STR("torn")), 0);
    off_t last = (off_t) (RECORDS_AT + journal_bytes(f->journal));
    assert_finds(f, "kept,torn, after 1");
    for (off_t cut = last - 1; cut >= end; cut--) {
        assert_int_equal(truncate(f->path, cut), 0);
        assert_finds(f, "kept, after 1");
    }
}

static void
a_changed_byte_anywhere_in_the_last_record_drops_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("kept")), 0);
    assert_int_equal(append(f, STR("damaged")), 0);
    off_t end = (off_t) (RECORDS_AT + journal_bytes(f->journal));
    for (off_t at = end - JOURNAL_RECORD_HEAD_BYTES - (off_t) strlen("damaged"); at < end; at++) {
        change_byte(f, at);
        assert_finds(f, "kept, after 1");
        change_byte(f, at);
    }
}

static void
damage_in_front_of_a_whole_record_is_refused(void **state)
{
    struct fixture *f = *state;
    off_t at = RECORDS_AT;
    assert_int_equal(append(f, STR("lost")), 0);
    off_t end = (off_t) (RECORDS_AT + journal_bytes(f->journal));
    assert_int_equal(append(f, STR("acknowledged")), 0);
    for (; at < end; at++) {
        change_byte(f, at);
        assert_int_equal(look(f), -1);
        assert_int_equal(f->err.code, ERR_INVALID_STATE);
        change_byte(f, at);
    }
}

static void
a_new_generation_has_none_of_the_old_records(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("abc")), 0);
    assert_int_equal(append(f, STR("def")), 0);
    assert_int_equal(begin(f, 2), 0);
    assert_finds(f, " after 2");
    assert_int_equal(append(f, STR("new")),
                     0); /* as long as the old: "def" stays whole behind it */
    assert_finds(f, "new, after 2");
    assert_int_equal(begin(f, 3), 0);
    assert_finds(f, " after 3");
}

static void
a_torn_header_leaves_the_generation_before(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, 2), 0);
    assert_int_equal(append(f, STR("old")), 0);
    assert_int_equal(begin(f, 3), 0);
    for (off_t at = 0; at < SLOT_BYTES; at += 97) { /* the third generation is in the second slot */
        change_byte(f, SLOT_BYTES + at);
        assert_finds(f, "old, after 2");
        change_byte(f, SLOT_BYTES + at);
    }
    assert_finds(f, " after 3");
}

static void
a_journal_without_a_whole_header_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(begin(f, 2), 0);
    change_byte(f, 100);
    change_byte(f, SLOT_BYTES + 100);
    assert_int_equal(look(f), -1);
    assert_int_equal(f->err.code, ERR_INVALID_STATE);
    assert_int_equal(truncate(f->path, 10), 0);
    assert_int_equal(look(f), -1);
}

static void
an_empty_or_missing_file_is_no_journal(void **state)
{
    struct fixture *f = *state;
    struct journal *j;
    assert_int_equal(truncate(f->path, 0), 0);
    assert_int_equal(journal_open(&j, f->path, &f->err), 0);
    assert_null(j);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(journal_open(&j, f->path, &f->err), 0);
    assert_null(j);
}

static void
a_record_taken_back_is_gone_and_another_takes_its_place(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("one")), 0);
    assert_int_equal(append(f, STR("refused")), 0);
    assert_int_equal(journal_take_back(f->journal), 0);
    assert_finds(f, "one, after 1");
    assert_int_equal(append(f, STR("two")), 0);
    assert_finds(f, "one,two, after 1");
}

/* The bytes of a refused record stay in the file, and are whatever a client sent: here a record of
 * the generation before. */
static void
bytes_inside_a_record_cannot_pass_for_one(void **state)
{
    struct fixture *f = *state;
    char old[JOURNAL_RECORD_HEAD_BYTES + 3];
    struct buf sent = BUF_INIT;
    assert_int_equal(append(f, STR("old")), 0);
    int fd = open(f->path, O_RDONLY);
    assert_int_equal(pread(fd, old, sizeof(old), RECORDS_AT), sizeof(old));
    assert_int_equal(close(fd), 0);
    assert_int_equal(begin(f, 2), 0);
    buf_add(&sent, "0123456", 7);
    buf_add(&sent, old, sizeof(old));
    assert_int_equal(append(f, buf_str(&sent)), 0);
    assert_int_equal(journal_take_back(f->journal), 0);
    assert_int_equal(append(f, STR("0123456")), 0);
    assert_finds(f, "0123456, after 2");
    buf_done(&sent);
}

static void
an_append_that_the_disk_refused_is_not_found(void **state)
{
    static const struct {
        enum fault_call call;
        int error;
    } rows[] = {{FAULT_SYNC, EIO}, {FAULT_SYNC, ENOSPC}, {FAULT_WRITE, ENOSPC}};
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("a")), 0);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        fault_set(rows[i].call, "/journal", rows[i].error, 0, 1);
        assert_int_equal(append(f, STR("refused")), rows[i].error);
        assert_false(journal_is_broken(f->journal));
        assert_finds(f, "a, after 1");
    }
    fault_clear();
    assert_int_equal(append(f, STR("b")), 0);
    assert_finds(f, "a,b, after 1");
}

static void
an_append_that_can_be_neither_made_nor_unmade_breaks_the_journal(void **state)
{
    struct fixture *f = *state;
    fault_set(FAULT_SYNC, "/journal", EIO, 0, 2);
    assert_int_equal(append(f, STR("nobody knows")), EIO);
    assert_true(journal_is_broken(f->journal));
    fault_clear();
    assert_int_equal(append(f, STR("refused")),
                     EIO); /* no sync that succeeds makes it good again */
    assert_int_equal(begin(f, 2), EIO);
}

static void
nothing_is_appended_behind_a_header_that_may_be_there(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("old")), 0);
    fault_set(FAULT_SYNC, "/journal", ENOSPC, 0, 1);
    assert_int_equal(begin(f, 2), ENOSPC);
    assert_int_equal(append(f, STR("refused")), EIO);
    assert_int_equal(begin(f, 3), 0);
    assert_int_equal(append(f, STR("new")), 0);
    assert_finds(f, "new, after 3");
}

static void
a_header_that_was_not_written_leaves_the_generation(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("old")), 0);
    fault_set(FAULT_WRITE, "/journal", ENOSPC, 0, 1);
    assert_int_equal(begin(f, 2), ENOSPC);
    assert_finds(f, "old, after 1");
}

static void
a_large_record_makes_the_file_grow_until_the_next_generation(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    size_t len = 5 << 20;
    char *bytes = test_malloc(len);
    memset(bytes, 'x', len);
    assert_int_equal(append(f, STR("small")), 0);
    assert_int_equal(append(f, str_make(bytes, len)), 0);
    assert_int_equal(append(f, STR("end")), 0);
    assert_int_equal(look(f), 0);
    assert_int_equal(f->found.len, strlen("small,,end, after 1") + len);
    assert_int_equal(begin(f, 2), 0);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_size, KEEP_BYTES);
    assert_int_equal(append(f, str_make(bytes, len)), 0); /* and again */
    assert_int_equal(look(f), 0);
    assert_int_equal(f->found.len, strlen(", after 2") + len);
    test_free(bytes);
}

static void
no_room_to_grow_refuses_the_record_only(void **state)
{
    struct fixture *f = *state;
    size_t len = 2 << 20;
    char *bytes = test_calloc(1, len);
    assert_int_equal(append(f, STR("a")), 0);
    fault_set(FAULT_WRITE, "/journal", ENOSPC, 3, -1);
    assert_int_equal(append(f, str_make(bytes, len)), ENOSPC);
    assert_false(journal_is_broken(f->journal));
    fault_clear();
    assert_int_equal(append(f, STR("b")), 0);
    assert_finds(f, "a,b, after 1");
    test_free(bytes);
}

/* In the steady state a commit changes nothing but the record's own blocks. */
static void
appends_within_the_file_do_not_change_its_size(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    assert_int_equal(stat(f->path, &before), 0);
    fault_set(FAULT_WRITE, "/journal", 0, 0, 0);
    fault_set(FAULT_SYNC, "/journal", 0, 0, 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(append(f, STR("a record of some length")), 0);
    assert_int_equal(stat(f->path, &after), 0);
    assert_int_equal(after.st_size, before.st_size);
    assert_int_equal(after.st_blocks, before.st_blocks);
    assert_int_equal(fault_seen(FAULT_WRITE), 100);
    assert_int_equal(fault_seen(FAULT_SYNC), 100);
}

static void
no_write_touches_a_block_of_the_record_before(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("one")), 0);
    assert_int_equal(append(f, STR("two")), 0);
    assert_int_equal(journal_bytes(f->journal), BLOCK_BYTES + JOURNAL_RECORD_HEAD_BYTES + 3);
}

/* The first version: a record begins where the one before ends. */
static void
a_journal_of_the_first_version_is_read(void **state)
{
    enum { VERSION_AT = 12, LEN = JOURNAL_RECORD_HEAD_BYTES + 3 };
    struct fixture *f = *state;
    char slot[SLOT_BYTES], record[LEN];
    uint8_t crc[4];
    assert_int_equal(append(f, STR("one")), 0);
    assert_int_equal(append(f, STR("two")), 0);
    int fd = open(f->path, O_RDWR);
    assert_int_equal(pread(fd, record, LEN, RECORDS_AT + BLOCK_BYTES), LEN);
    assert_int_equal(pwrite(fd, record, LEN, RECORDS_AT + LEN), LEN);
    assert_int_equal(pread(fd, slot, SLOT_BYTES, SLOT_BYTES), SLOT_BYTES);
    slot[VERSION_AT] = 1;
    (void) key_u32(crc, digest_crc32(str_make(slot + 4, SLOT_BYTES - 4)));
    memcpy(slot, crc, sizeof(crc));
    assert_int_equal(pwrite(fd, slot, SLOT_BYTES, SLOT_BYTES), SLOT_BYTES);
    assert_int_equal(close(fd), 0);
    assert_finds(f, "one,two, after 1");
}

static void
what_the_kernel_will_not_write_directly_is_written_as_by_everybody(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(append(f, STR("one")), 0);
    fault_set(FAULT_WRITE, "/journal", EINVAL, 0, 1);
    assert_int_equal(append(f, STR("two")), 0);
    fault_clear();
    assert_int_equal(append(f, STR("three")), 0);
    assert_finds(f, "one,two,three, after 1");
}

static void
an_append_is_durable_when_it_is_finished(void **state)
{
    struct fixture *f = *state;
    struct buf record = BUF_INIT;
    buf_add(&record, (char[JOURNAL_RECORD_HEAD_BYTES]){0}, JOURNAL_RECORD_HEAD_BYTES);
    fault_set(FAULT_SYNC, "/journal", EIO, 0, 1);
    assert_int_equal(journal_start(f->journal, &record), 0);
    assert_int_equal(journal_finish(f->journal), EIO);
    buf_done(&record);
    assert_finds(f, " after 1");
}

#define TEST_PLAIN(name) cmocka_unit_test_setup_teardown(name, setup_plain, teardown)
#define TEST_DIRECT(name) cmocka_unit_test_setup_teardown(name, setup_direct, teardown)
#define TEST(name) TEST_PLAIN(name), TEST_DIRECT(name)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(records_come_back_in_order),
        TEST(a_header_says_what_the_records_follow),
        TEST(a_torn_last_record_is_dropped_wherever_it_ends),
        TEST(a_changed_byte_anywhere_in_the_last_record_drops_it),
        TEST(damage_in_front_of_a_whole_record_is_refused),
        TEST(a_new_generation_has_none_of_the_old_records),
        TEST(a_torn_header_leaves_the_generation_before),
        TEST(a_journal_without_a_whole_header_is_refused),
        TEST(an_empty_or_missing_file_is_no_journal),
        TEST(a_record_taken_back_is_gone_and_another_takes_its_place),
        TEST(bytes_inside_a_record_cannot_pass_for_one),
        TEST(an_append_that_the_disk_refused_is_not_found),
        TEST(an_append_that_can_be_neither_made_nor_unmade_breaks_the_journal),
        TEST(nothing_is_appended_behind_a_header_that_may_be_there),
        TEST(a_header_that_was_not_written_leaves_the_generation),
        TEST(a_large_record_makes_the_file_grow_until_the_next_generation),
        TEST(no_room_to_grow_refuses_the_record_only),
        TEST(appends_within_the_file_do_not_change_its_size),
        TEST(no_write_touches_a_block_of_the_record_before),
        TEST(a_journal_of_the_first_version_is_read),
        TEST_DIRECT(what_the_kernel_will_not_write_directly_is_written_as_by_everybody),
        TEST(an_append_is_durable_when_it_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

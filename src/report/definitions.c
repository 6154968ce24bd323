/* The stored definitions: a table of JSON texts that were checked when they were put. */
#include "base/clock.h"
#include "report/reports_internal.h"

static int
err_not_found(struct str name, struct err *err)
{
    (void) err_set(err, ERR_REPORT_DEFINITION_NOT_FOUND,
                   "There is no report type `%.*s`: PUT /api/report-definitions/%.*s defines it.",
                   STR_ARG(name), STR_ARG(name));
    err_set_path(err, ".reportType");
    return -1;
}

static int
check_name(struct str name, struct err *err)
{
    if (report_name_is_valid(name))
        return 0;
    (void) err_set(err, ERR_INVALID_REPORT_TYPE,
                   "`%.*s` is not a valid report type: expected 1 to %d characters of a-z A-Z 0-9 "
                   "- _ and dots, not beginning with a dot.",
                   STR_ARG(name), REPORT_NAME_MAX_BYTES);
    err_set_path(err, ".reportType");
    return -1;
}

static int
check_immutable(struct str name, struct err *err)
{
    if (check_name(name, err) < 0)
        return -1;
    if (report_built_in(name) == NULL)
        return 0;
    return err_set(err, ERR_IMMUTABLE_REPORT_DEFINITION,
                   "The report type `%.*s` is built in and cannot be changed.", STR_ARG(name));
}

static int
store_error(struct reports *r, int code, struct err *err)
{
    turn_fail(r->conf.turn, code);
    return err_set(err, ERR_IO_ERROR, "The definition could not be stored: %s.",
                   store_strerror(code));
}

static int
put(struct reports *r, struct str name, struct str text, bool *ret_is_new, struct err *err)
{
    struct store_txn *txn = turn_txn(r->conf.turn);
    uint64_t n = 0;
    int found = store_get(txn, TABLE_REPORT_DEFINITIONS, name, NULL);
    int rc = found < 0 ? found : store_count(txn, TABLE_REPORT_DEFINITIONS, &n);
    if (rc >= 0 && found == 0 && n >= REPORT_DEFINITIONS_MAX)
        return err_set(err, ERR_TOO_MANY_REPORT_DEFINITIONS,
                       "At most %d definitions may be stored. Please remove one first.",
                       REPORT_DEFINITIONS_MAX);
    if (rc >= 0)
        rc = store_put(txn, TABLE_REPORT_DEFINITIONS, name, text);
    *ret_is_new = found == 0;
    return rc < 0 ? store_error(r, rc, err) : 0;
}

int
reports_put_definition(struct reports *r, struct str name, const struct json *body,
                       bool *ret_is_new, struct err *err)
{
    struct report_definition d;
    struct buf text = BUF_INIT;
    if (check_immutable(name, err) < 0 || report_definition_read(body, "", &d, err) < 0)
        return -1;
    report_definition_done(&d);
    json_write(&text, body);
    int rc = 0;
    if (text.len > REPORT_DEFINITION_MAX_BYTES)
        rc = err_set(err, ERR_INVALID_REPORT_DEFINITION,
                     "The definition has %zu bytes, the maximum is %d.", text.len,
                     REPORT_DEFINITION_MAX_BYTES);
    else if (!turn_accepts_writes(r->conf.turn))
        rc = err_set(err, ERR_NO_SPACE_LEFT_ON_DEVICE,
                     "The server has too little free disk space to store a definition.");
    else
        rc = put(r, name, buf_str(&text), ret_is_new, err);
    buf_done(&text);
    return rc;
}

int
reports_delete_definition(struct reports *r, struct str name, struct err *err)
{
    if (check_immutable(name, err) < 0)
        return -1;
    int rc = store_delete(turn_txn(r->conf.turn), TABLE_REPORT_DEFINITIONS, name);
    if (rc < 0)
        return store_error(r, rc, err);
    if (rc == 1)
        return 0;
    return err_set(err, ERR_REPORT_TYPE_NOT_FOUND, "There is no report type `%.*s`.",
                   STR_ARG(name));
}

/* --- reading --------------------------------------------------------------------------------- */

static void
write_one(struct buf *out, struct str name, bool is_built_in, struct str text)
{
    struct json_out j = json_out(out);
    json_begin_object(&j);
    json_key(&j, "reportType");
    json_put_str(&j, name);
    json_key(&j, "builtIn");
    json_put_bool(&j, is_built_in);
    json_key(&j, "definition");
    json_put_raw(&j, text);
    json_end_object(&j);
}

/* The text of a definition: 1 with *ret (memory of txn), 0, negative. */
static int
find(struct store_txn *txn, struct str name, struct str *ret)
{
    const char *built_in = report_built_in(name);
    if (built_in == NULL)
        return store_get(txn, TABLE_REPORT_DEFINITIONS, name, ret);
    *ret = str_from(built_in);
    return 1;
}

int
reports_write_definition(struct reports *r, struct str name, struct buf *out, struct err *err)
{
    struct str text;
    if (!report_name_is_valid(name))
        return err_set(err, ERR_REPORT_TYPE_NOT_FOUND, "There is no such report type.");
    struct store_txn *txn = turn_read(r->conf.turn);
    int rc = txn == NULL ? STORE_EIO : find(txn, name, &text);
    if (rc == 1)
        write_one(out, name, report_built_in(name) != NULL, text);
    store_abort(txn);
    if (rc == 1)
        return 0;
    if (rc == 0)
        return err_set(err, ERR_REPORT_TYPE_NOT_FOUND, "There is no report type `%.*s`.",
                       STR_ARG(name));
    return err_set(err, ERR_INTERNAL, "The definition could not be read: %s.", store_strerror(rc));
}

static int
write_stored(struct store_txn *txn, struct buf *at, struct buf *out, int64_t deadline_us)
{
    struct store_cursor c = {0};
    int rc = store_cursor_open(&c, txn, TABLE_REPORT_DEFINITIONS);
    if (rc == 0)
        rc = store_cursor_seek(&c, buf_str(at));
    while (rc == 1 && clock_mono_us() < deadline_us) {
        buf_add_char(out, ',');
        write_one(out, c.key, false, c.value);
        buf_clear(at);
        buf_add_str(at, c.key);
        buf_add_char(at, '\x01'); /* behind that name, before every other */
        rc = store_cursor_next(&c);
    }
    store_cursor_close(&c);
    return rc;
}

int
reports_write_definitions(struct reports *r, struct buf *at, struct buf *out, int64_t deadline_us)
{
    if (at->len == 0) {
        buf_add_cstr(out, "{\"results\":[");
        for (size_t i = 0; report_built_in_name(i) != NULL; i++) {
            struct str name = str_from(report_built_in_name(i));
            if (i > 0)
                buf_add_char(out, ',');
            write_one(out, name, true, str_from(report_built_in(name)));
        }
        buf_add_char(at, '\x01');
    }
    struct store_txn *txn = turn_read(r->conf.turn);
    int rc = txn == NULL ? STORE_EIO : write_stored(txn, at, out, deadline_us);
    store_abort(txn);
    if (rc == 0)
        buf_add_cstr(out, "]}");
    return rc;
}

/* --- what a request makes of one ---------------------------------------------------------------
 */

void
report_plan_done(struct report_plan *p)
{
    report_definition_done(&p->definition);
    buf_done(&p->text);
}

static int
overlay(struct str text, const struct report_request *q, struct report_plan *ret, struct err *err)
{
    struct json_doc *base = json_parse(text, NULL);
    if (base == NULL)
        return err_set(err, ERR_INTERNAL, "The definition cannot be read.");
    report_definition_overlay(&ret->text, json_root(base), q->parameters);
    json_doc_free(base);
    if (ret->text.len > REPORT_DEFINITION_MAX_BYTES)
        return err_set(err, ERR_INVALID_REPORT_PARAMETERS,
                       "The definition with these parameters has more than %d bytes.",
                       REPORT_DEFINITION_MAX_BYTES);
    struct json_doc *doc = json_parse(buf_str(&ret->text), NULL);
    int rc = doc == NULL
                 ? err_set(err, ERR_INTERNAL, "The definition cannot be read.")
                 : report_definition_read(json_root(doc), ".parameters", &ret->definition, err);
    json_doc_free(doc);
    return rc;
}

static int
check_plan(const struct report_plan *p, struct err *err)
{
    if (p->definition.source != REPORT_OF_DOCUMENTS || p->definition.index_uid != NULL)
        return 0;
    (void) err_set(err, ERR_INVALID_REPORT_PARAMETERS,
                   "A report of documents needs an index: give `\"parameters\": {\"index\": "
                   "\"...\"}` or a definition that names one.");
    err_set_path(err, ".parameters.index");
    return -1;
}

static int
check_format(struct str format, struct err *err)
{
    struct buf message = BUF_INIT;
    const struct report_format *found = report_format_find(format);
    if (found != NULL && found->begin != NULL)
        return 0;
    if (found != NULL) {
        (void) err_set(err, ERR_INVALID_REPORT_FORMAT,
                       "This server was built without the format `%s`.", found->name);
        err_set_path(err, ".format");
        return -1;
    }
    buf_addf(&message, "Unknown value `%.*s` at `.format`: expected one of ", STR_ARG(format));
    for (size_t i = 0; report_format_at(i) != NULL; i++)
        buf_addf(&message, "%s`%s`", i == 0 ? "" : ", ", report_format_at(i)->name);
    (void) err_set_str(err, ERR_INVALID_REPORT_FORMAT, buf_str(&message));
    err_set_path(err, ".format");
    buf_done(&message);
    return -1;
}

int
reports_plan(struct reports *r, const struct report_request *q, struct report_plan *ret,
             struct err *err)
{
    struct str text;
    *ret = (struct report_plan){0};
    if (check_name(q->report_type, err) < 0 || check_format(q->format, err) < 0)
        return -1;
    struct store_txn *txn = turn_read(r->conf.turn);
    int rc = txn == NULL ? STORE_EIO : find(txn, q->report_type, &text);
    if (rc == 1)
        rc = overlay(text, q, ret, err);
    else if (rc == 0)
        rc = err_not_found(q->report_type, err);
    else
        rc =
            err_set(err, ERR_INTERNAL, "The definition could not be read: %s.", store_strerror(rc));
    store_abort(txn);
    if (rc == 0 && check_plan(ret, err) == 0)
        return 0;
    report_plan_done(ret);
    return -1;
}

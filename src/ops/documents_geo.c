/* What `_geo` of a document must be once it is filterable or sortable (contract 5.5). Pure. */
#include "ops/documents.h"

/* Appends upstream's message and gives -1; the id is shown as a JSON string. */
static int
refuse(struct err *err, struct buf *message)
{
    err_set_str(err, ERR_INVALID_DOCUMENT_GEO_FIELD, buf_str(message));
    buf_done(message);
    return -1;
}

static int
refuse_value(struct err *err, struct str id, const char *before, const char *behind,
             const struct json *value)
{
    struct buf message = BUF_INIT;

    buf_add_cstr(&message, before);
    buf_addf(&message, " in the document with the id: `\"%.*s\"` %s", STR_ARG(id), behind);
    buf_add_char(&message, '`');
    json_write_normal(&message, value);
    buf_add_cstr(&message, "`.");
    return refuse(err, &message);
}

static int
refuse_missing(struct err *err, struct str id, bool has_lat, bool has_lng)
{
    const char *what = !has_lat && !has_lng ? "latitude nor longitude"
                       : has_lat            ? "longitude"
                                            : "latitude";
    const char *fields = !has_lat && !has_lng ? "`_geo.lat` and `_geo.lng` fields"
                         : has_lat            ? "a `_geo.lng` field"
                                              : "a `_geo.lat` field";
    return err_set(err, ERR_INVALID_DOCUMENT_GEO_FIELD,
                   "Could not find %s in the document with the id: `\"%.*s\"`. Was expecting %s.",
                   what, STR_ARG(id), fields);
}

static int
refuse_numbers(struct err *err, struct str id, const struct json *lat, const struct json *lng)
{
    struct buf message = BUF_INIT;
    bool is_both = lat != NULL && lng != NULL;

    buf_addf(&message, "Could not parse %s in the document with the id: `\"%.*s\"`. Was expecting ",
             is_both       ? "latitude nor longitude"
             : lat != NULL ? "latitude"
                           : "longitude",
             STR_ARG(id));
    buf_add_cstr(&message, is_both ? "finite numbers but instead got `"
                                   : "a finite number but instead got `");
    json_write_normal(&message, lat != NULL ? lat : lng);
    if (is_both) {
        buf_add_cstr(&message, "` and `");
        json_write_normal(&message, lng);
    }
    buf_add_cstr(&message, "`.");
    return refuse(err, &message);
}

/* Numbers, and texts that are numbers. */
static bool
is_coordinate(const struct json *value)
{
    struct str text = json_type(value) == JSON_NUMBER ? json_number(value) : json_string(value);
    double ignored;

    return filter_number(text, &ignored);
}

int
geo_check(const struct json *document, struct str id, struct err *err)
{
    const struct json *geo = json_get_c(document, "_geo");
    const struct json *lat = json_get_c(geo, "lat"), *lng = json_get_c(geo, "lng");

    if (geo == NULL || json_type(geo) == JSON_NULL)
        return 0;
    if (json_type(geo) != JSON_OBJECT)
        return refuse_value(err, id, "The `_geo` field",
                            "is not an object. Was expecting an object with the `_geo.lat` and "
                            "`_geo.lng` fields but instead got ",
                            geo);
    if (lat == NULL || lng == NULL)
        return refuse_missing(err, id, lat != NULL, lng != NULL);
    if (json_length(geo) > 2) {
        struct buf message = BUF_INIT;
        struct json_out j = json_out(&message);
        buf_addf(&message,
                 "The `_geo` field in the document with the id: `\"%.*s\"` contains the following "
                 "unexpected fields: `",
                 STR_ARG(id));
        json_begin_object(&j);
        for (struct json_iter it = json_iter(geo); json_next(&it);) {
            if (it.value == lat || it.value == lng)
                continue;
            json_key_str(&j, it.key);
            json_write_normal(&message, it.value);
            j.comma = true;
        }
        json_end_object(&j);
        buf_add_cstr(&message, "`.");
        return refuse(err, &message);
    }
    if (is_coordinate(lat) && is_coordinate(lng))
        return 0;
    return refuse_numbers(err, id, is_coordinate(lat) ? NULL : lat,
                          is_coordinate(lng) ? NULL : lng);
}

#pragma once
/* What Twilio signs: the address it was given for its callbacks, and the fields of the form. */
#include "base/buf.h"

enum { TWILIO_URL_MAX_BYTES = 2048 };
/* NULL, or why this is no such address ("expected ..."). */
const char *twilio_check_url(struct str url);
/* The address, then each field's name and value in the order of the names, nothing between them;
 * appended. What stands twice is signed once, as Twilio's own libraries have it. other: the same
 * with the port in the address where it has none, and without where it has one: Twilio signs now
 * this, now that, and its libraries take both. 0, or -1 when the form has too many fields. */
int twilio_write_signed(struct buf *out, struct buf *other, struct str url, struct str form);
enum { TWILIO_PORT_MAX_BYTES = 4 }; /* ":443": what other may have more */

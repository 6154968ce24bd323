/* In the place of pdf.c where no font was found at build time: the format is known, but refused. */
#include "report/format.h"

const struct report_format report_format_pdf = {
    .name = "pdf", .media_type = "application/pdf", .extension = "pdf", .has_columns = true};

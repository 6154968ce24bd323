#pragma once
/* The TrueType font of PDF reports. Private to the folder. */
#include "base/str.h"

struct str report_pdf_font(void); /* the whole file */

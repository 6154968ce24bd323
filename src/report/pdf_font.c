/* The font that PDF reports are set in: the file that meson found, as it is. */
#include "report/pdf_font.h"

__asm__(".pushsection .rodata\n"
        ".balign 16\n"
        ".global report_font_begin\n"
        "report_font_begin:\n"
        ".incbin \"" REPORT_PDF_FONT "\"\n"
        ".global report_font_end\n"
        "report_font_end:\n"
        ".byte 0\n"
        ".popsection\n");
extern const char report_font_begin[], report_font_end[];

struct str
report_pdf_font(void)
{
    return str_make(report_font_begin, (size_t) (report_font_end - report_font_begin));
}

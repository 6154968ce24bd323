/* The languages of localizedAttributes (ISO 639-1 and 639-3), as upstream knows them. */
#include "index/settings.h"

static const struct {
    const char *two, *three;
} languages[] = {
    /* clang-format off */
    {"af", "afr"}, {"ak", "aka"}, {"am", "amh"}, {"ar", "ara"}, {"az", "aze"}, {"be", "bel"},
    {"bn", "ben"}, {"bg", "bul"}, {"ca", "cat"}, {"cs", "ces"}, {"da", "dan"}, {"de", "deu"},
    {"el", "ell"}, {"en", "eng"}, {"eo", "epo"}, {"et", "est"}, {"fi", "fin"}, {"fr", "fra"},
    {"gu", "guj"}, {"he", "heb"}, {"hi", "hin"}, {"hr", "hrv"}, {"hu", "hun"}, {"hy", "hye"},
    {"id", "ind"}, {"it", "ita"}, {"jv", "jav"}, {"ja", "jpn"}, {"kn", "kan"}, {"ka", "kat"},
    {"km", "khm"}, {"ko", "kor"}, {"la", "lat"}, {"lv", "lav"}, {"lt", "lit"}, {"ml", "mal"},
    {"mr", "mar"}, {"mk", "mkd"}, {"my", "mya"}, {"ne", "nep"}, {"nl", "nld"}, {"nb", "nob"},
    {"or", "ori"}, {"pa", "pan"}, {"fa", "pes"}, {"pl", "pol"}, {"pt", "por"}, {"ro", "ron"},
    {"ru", "rus"}, {"si", "sin"}, {"sk", "slk"}, {"sl", "slv"}, {"sn", "sna"}, {"es", "spa"},
    {"sr", "srp"}, {"sv", "swe"}, {"ta", "tam"}, {"te", "tel"}, {"tl", "tgl"}, {"th", "tha"},
    {"tk", "tuk"}, {"tr", "tur"}, {"uk", "ukr"}, {"ur", "urd"}, {"uz", "uzb"}, {"vi", "vie"},
    {"yi", "yid"}, {"zh", "zho"}, {"zu", "zul"},
    /* clang-format on */
};
enum { LANGUAGES = sizeof(languages) / sizeof(languages[0]) };

size_t
setting_languages(const char *const **ret)
{
    static const char *names[2 * LANGUAGES + 1];
    for (size_t i = 0; i < LANGUAGES; i++) {
        names[i] = languages[i].two;
        names[LANGUAGES + i] = languages[i].three;
    }
    names[2 * LANGUAGES] = "cmn";
    *ret = names;
    return 2 * LANGUAGES + 1;
}

struct str
setting_language(struct str text)
{
    for (size_t i = 0; i < LANGUAGES; i++)
        if (str_is(text, languages[i].two))
            return str_from(languages[i].three);
    return text;
}

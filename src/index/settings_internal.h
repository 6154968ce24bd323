#pragma once
/* What settings.c takes from settings_merge.c. */
#include "index/settings.h"

setting_merge settings_merge_names, settings_merge_typos, settings_merge_faceting,
    settings_merge_pagination, settings_merge_embedders, settings_merge_languages,
    settings_merge_chat;
/* An object of embedders with their API keys cut. */
void settings_write_embedders(struct buf *out, const struct json *embedders);

#pragma once
/* What the files of auth/ share. */
#include "auth/auth.h"
#include "auth/keyring.h"

struct auth {
    struct str master_key; /* owned; data NULL: everything is open */
    uint8_t master_scope[8];
    struct keyring keys; /* empty until auth_open_keys */
};

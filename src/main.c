/* argv -> exit code. */
#include "app/app.h"

extern char **environ;

int
main(int argc, char **argv)
{
    struct conf conf = {0};
    int code = 0;
    switch (conf_load(argc, argv, environ, &conf, &code)) {
    case CONF_RUN:
        code = app_run(&conf);
        break;
    case CONF_EXIT_OK:
        code = 0;
        break;
    case CONF_EXIT_BAD:
        break;
    }
    conf_done(&conf);
    return code;
}

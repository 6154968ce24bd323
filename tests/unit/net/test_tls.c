/* TLS contexts: what is refused at the start, and what a reload leaves in use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/tls_internal.h"
#include "server_fixture.h"

struct files {
    char dir[64], cert[96], key[96], other_cert[96], other_key[96];
};

static void
files_init(struct files *f)
{
    (void) snprintf(f->dir, sizeof(f->dir), "/tmp/taskhook-tls-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    (void) snprintf(f->cert, sizeof(f->cert), "%s/cert.pem", f->dir);
    (void) snprintf(f->key, sizeof(f->key), "%s/key.pem", f->dir);
    (void) snprintf(f->other_cert, sizeof(f->other_cert), "%s/other-cert.pem", f->dir);
    (void) snprintf(f->other_key, sizeof(f->other_key), "%s/other-key.pem", f->dir);
    server_fixture_write_certificate(f->cert, f->key);
    server_fixture_write_certificate(f->other_cert, f->other_key);
}

static void
files_done(struct files *f)
{
    (void) unlink(f->cert);
    (void) unlink(f->key);
    (void) unlink(f->other_cert);
    (void) unlink(f->other_key);
    assert_int_equal(rmdir(f->dir), 0);
}

static void
expect_refused(const struct tls_server_conf *conf, const char *named)
{
    struct err err = ERR_INIT;
    assert_null(tls_server_new(conf, &err));
    assert_true(err_is_set(&err));
    assert_non_null(strstr(err.message, named));
    err_done(&err);
}

static void
unusable_files_are_refused_by_name(void **state)
{
    struct files f;
    (void) state;
    files_init(&f);
    expect_refused(&(struct tls_server_conf){.cert_path = "/nonexistent/c", .key_path = f.key},
                   "/nonexistent/c");
    expect_refused(&(struct tls_server_conf){.cert_path = f.cert, .key_path = "/nonexistent/k"},
                   "/nonexistent/k");
    expect_refused(&(struct tls_server_conf){.cert_path = f.key, .key_path = f.key}, f.key);
    expect_refused(&(struct tls_server_conf){.cert_path = f.cert, .key_path = f.other_key},
                   f.other_key);
    expect_refused(&(struct tls_server_conf){.cert_path = f.cert,
                                             .key_path = f.key,
                                             .auth_path = "/nonexistent/ca"},
                   "/nonexistent/ca");
    files_done(&f);
}

static void
failed_reload_keeps_the_old_files(void **state)
{
    struct files f;
    struct err err = ERR_INIT;
    (void) state;
    files_init(&f);
    struct tls_server *t =
        tls_server_new(&(struct tls_server_conf){.cert_path = f.cert, .key_path = f.key}, &err);
    assert_non_null(t);
    SSL_CTX *before = tls_server_ctx(t);
    assert_int_equal(rename(f.other_key, f.key), 0);
    assert_true(tls_server_reload(t, &err) < 0);
    assert_ptr_equal(tls_server_ctx(t), before);
    err_done(&err);
    assert_int_equal(rename(f.other_cert, f.cert), 0);
    assert_int_equal(tls_server_reload(t, &err), 0);
    tls_server_free(t);
    files_done(&f);
}

static void
client_authorities_are_read(void **state)
{
    struct files f;
    struct err err = ERR_INIT;
    (void) state;
    files_init(&f);
    struct tls_client *t = tls_client_new(f.cert, &err);
    assert_non_null(t);
    assert_int_equal(tls_client_reload(t, &err), 0);
    tls_client_free(t);
    assert_null(tls_client_new("/nonexistent/ca", &err));
    assert_non_null(strstr(err.message, "/nonexistent/ca"));
    err_done(&err);
    files_done(&f);
}

/* A client with (or without) a certificate against a server that requires one. */
static size_t
bytes_with_client_auth(struct files *files, bool shows_certificate)
{
    struct server_fixture f;
    struct err err = ERR_INIT;
    struct talk t;
    server_fixture_init(&f, NULL, true);
    http_server_free(f.server);
    tls_server_free(f.tls);
    f.tls = tls_server_new(&(struct tls_server_conf){.cert_path = files->cert,
                                                     .key_path = files->key,
                                                     .auth_path = files->cert,
                                                     .require_auth = true},
                           &err);
    assert_non_null(f.tls);
    struct http_server_conf conf = {.addr = "127.0.0.1:0", .tls = f.tls, .app = &f};
    conf.handle = server_fixture_handle;
    f.server = http_server_new(f.loop, &conf, &err);
    assert_non_null(f.server);
    if (shows_certificate)
        f.client_cert = files->cert;
    f.client_key = files->key;
    talk_open(&t, &f);
    talk_send(&t, STR("GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    talk_wait(&t);
    size_t n = t.got.len;
    talk_close(&t);
    server_fixture_done(&f);
    return n;
}

static void
required_client_certificate_is_required(void **state)
{
    struct files f;
    (void) state;
    files_init(&f);
    assert_int_equal(bytes_with_client_auth(&f, false), 0);
    assert_true(bytes_with_client_auth(&f, true) > 0);
    files_done(&f);
}

static void
unix_socket_serves_and_stale_ones_are_replaced(void **state)
{
    struct err err = ERR_INIT;
    struct loop *loop = loop_new(&err);
    char dir[] = "/tmp/taskhook-unix-XXXXXX", addr[96], path[64];
    struct stat st;
    (void) state;
    assert_non_null(mkdtemp(dir));
    (void) snprintf(path, sizeof(path), "%s/s", dir);
    (void) snprintf(addr, sizeof(addr), "unix:%s", path);
    struct sockaddr_un sun = {.sun_family = AF_UNIX};
    memcpy(sun.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &sun, sizeof(sun)), 0);
    assert_int_equal(close(fd), 0); /* a leftover */
    struct http_server_conf conf = {.addr = addr, .handle = server_fixture_handle};
    struct http_server *s = http_server_new(loop, &conf, &err);
    assert_non_null(s);
    assert_string_equal(http_server_address(s), addr);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0660);
    assert_null(http_server_new(loop, &conf, &err)); /* somebody listens */
    assert_non_null(strstr(err.message, path));
    err_done(&err);
    http_server_free(s);
    loop_free(loop);
    assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unusable_files_are_refused_by_name),
        cmocka_unit_test(failed_reload_keeps_the_old_files),
        cmocka_unit_test(client_authorities_are_read),
        cmocka_unit_test(required_client_certificate_is_required),
        cmocka_unit_test(unix_socket_serves_and_stale_ones_are_replaced),
    };
    return cmocka_run_group_tests_name("tls", tests, NULL, NULL);
}

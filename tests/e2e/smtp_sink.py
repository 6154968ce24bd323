"""A relay for tests: aiosmtpd on a port of its own, a process of its own (SmtpSink in test_channels.py starts it).

Prints its port, then a JSON object a line for every message it took. Answers by the address: `refused-...` 550,
`later-...` 451 the first time; a message whose subject holds "spam" is 554.
"""
import argparse
import asyncio
import functools
import json
import ssl

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


class Sink:
    def __init__(self, user, password):
        self.login = (user, password)
        self.deferred = set()
        self.logins = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused-"):
            return "550 5.1.1 no such user here"
        if address.startswith("later-") and address not in self.deferred:
            self.deferred.add(address)
            return "451 4.7.1 greylisted, try again"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 fine"

    async def handle_DATA(self, server, session, envelope):
        if b"spam" in envelope.content.split(b"\r\n\r\n")[0]:
            return "554 5.7.1 looks like spam"
        print(json.dumps({
            "from": envelope.mail_from, "to": envelope.rcpt_tos, "data": envelope.content.decode("ascii"),
            "tls": session.ssl is not None, "login": session.auth_data, "helo": session.host_name,
            "mail_options": envelope.mail_options,
        }), flush=True)
        return "250 2.0.0 queued"

    def authenticate(self, server, session, envelope, mechanism, data):
        if not isinstance(data, LoginPassword):
            return AuthResult(success=False, handled=False)
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == self.login, handled=False, auth_data=[mechanism, *given])


async def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--certificate")
    arguments.add_argument("--key")
    arguments.add_argument("--smtps", action="store_true")
    arguments.add_argument("--user")
    arguments.add_argument("--password")
    arguments.add_argument("--without", action="append", default=[], help="a mechanism of AUTH")
    args = arguments.parse_args()
    context = None
    if args.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.certificate, args.key)
    sink = Sink(args.user, args.password)
    options = {"hostname": "sink.test", "auth_exclude_mechanism": args.without}
    if context and not args.smtps:
        options |= {"tls_context": context, "require_starttls": True}
    if args.user:
        options |= {"authenticator": sink.authenticate, "auth_required": True,
                    "auth_require_tls": bool(context) and not args.smtps}
    server = await asyncio.get_running_loop().create_server(
        functools.partial(SMTP, sink, **options), "127.0.0.1", 0, ssl=context if args.smtps else None)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())

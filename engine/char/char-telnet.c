/* SPDX-License-Identifier: GPL-2.0-or-later
 * Copyright the Vitrine authors */

/* Telnet (RFC 854; options: RFC 856 binary, RFC 857 echo, RFC 858 suppress go ahead). The peer's
 * answers to our offers are only noted, never answered, so no negotiation loop can arise.
 * Thread: its user's. */

#include "char-telnet.h"

enum { SE = 240, BRK = 243, IP = 244, SB = 250, WILL = 251, WONT, DO, DONT, IAC };
enum { OPTION_BINARY = 0, OPTION_ECHO = 1, OPTION_SGA = 3 };
enum { ST_DATA, ST_IAC, ST_WILL, ST_WONT, ST_OPTION, ST_SUB, ST_SUB_IAC };

const uint8_t char_telnet_greeting[12] = {
    IAC, WILL, OPTION_ECHO, IAC, WILL, OPTION_SGA, IAC, WILL, OPTION_BINARY, IAC, DO, OPTION_BINARY,
};

void
char_telnet_init(CharTelnet *telnet)
{
    *telnet = (CharTelnet){ .state = ST_DATA };
}

/* After IAC: the state that follows. True: the byte is data. */
static bool
command(CharTelnet *telnet, uint8_t byte, void (*break_seen)(void *opaque), void *opaque)
{
    telnet->state = ST_DATA;
    switch (byte) {
    case IAC: return true;
    case BRK: break_seen(opaque); break;
    case SB: telnet->state = ST_SUB; break;
    case WILL: telnet->state = ST_WILL; break;
    case WONT: telnet->state = ST_WONT; break;
    case DO:
    case DONT: telnet->state = ST_OPTION; break;
    default: break; /* NOP, IP, AYT, ...: a console has no use for them */
    }
    return false;
}

/* True: the byte is data. */
static bool
take(CharTelnet *telnet, uint8_t byte, void (*break_seen)(void *opaque), void *opaque)
{
    bool after_cr = telnet->after_cr;

    switch (telnet->state) {
    case ST_DATA:
        if (byte == IAC) {
            telnet->state = ST_IAC;
            return false;
        }
        telnet->after_cr = byte == '\r';
        /* Outside binary mode a bare carriage return travels as CR NUL. */
        return !(byte == 0 && after_cr && !telnet->peer_binary);
    case ST_IAC: return command(telnet, byte, break_seen, opaque);
    case ST_WILL:
    case ST_WONT:
        if (byte == OPTION_BINARY) {
            telnet->peer_binary = telnet->state == ST_WILL;
        }
        telnet->state = ST_DATA;
        return false;
    case ST_SUB: telnet->state = byte == IAC ? ST_SUB_IAC : ST_SUB; return false;
    case ST_SUB_IAC: telnet->state = byte == SE ? ST_DATA : ST_SUB; return false;
    default: telnet->state = ST_DATA; return false;
    }
}

typedef struct {
    void (*data)(void *opaque, const uint8_t *buf, size_t len);
    void (*break_seen)(void *opaque);
    void *opaque;
    uint8_t out[512];
    size_t out_len;
} Receiver;

static void
flush(Receiver *receiver)
{
    if (receiver->out_len > 0) {
        receiver->data(receiver->opaque, receiver->out, receiver->out_len);
        receiver->out_len = 0;
    }
}

static void
on_break(void *opaque)
{
    Receiver *receiver = opaque;

    flush(receiver);
    receiver->break_seen(receiver->opaque);
}

void
char_telnet_receive(CharTelnet *telnet, const uint8_t *buf, size_t len,
                    void (*data)(void *opaque, const uint8_t *buf, size_t len),
                    void (*break_seen)(void *opaque), void *opaque)
{
    Receiver receiver = { .data = data, .break_seen = break_seen, .opaque = opaque };

    for (size_t i = 0; i < len; i++) {
        if (take(telnet, buf[i], on_break, &receiver)) {
            receiver.out[receiver.out_len++] = buf[i];
        }
        if (receiver.out_len == sizeof(receiver.out)) {
            flush(&receiver);
        }
    }
    flush(&receiver);
}

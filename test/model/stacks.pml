/*
 * stacks.pml - two stacks and their applications, for spin.
 *
 * SPDX-License-Identifier: Apache-2.0
 *
 * Two ends talk through a transport that holds a few records in each
 * direction. Each may at any time write a message (in two pieces), ask for one
 * layer or two in either role, stop down to any depth, follow the peer or not,
 * read too early where a layer is agreed on, and decide to finish. There is no
 * limit to how often: what is checked holds for conversations of any length.
 *
 * What must hold:
 *
 *   depth     what is read was written at the depth it is read at, in the
 *             same session, and the application knows that depth
 *   order     messages come whole, in order, and none is lost
 *   closed    a close is of the innermost layer, after its handshake, and
 *             between two messages
 *   same      who has read all there is reads where the other writes
 *   end       from wherever they are, if both finish, both come to the clear
 *             and end: there is no deadlock, and no cycle without a new action
 *
 * A record on the wire is of a layer, the innermost that has made it: data
 * written at depth k, the close_notify, handshake and tickets of layer k. Each
 * of the layers outside that has wrapped it, so the reader must have them.
 *
 *     here            there
 *     r[], w[]        onion_chain_read_depth(), onion_chain_write_depth()
 *     writes          onion_write(), which goes to onion_chain_write_top()
 *     closes          BIO_onion_stop_tls(), close_down_to(); and, where
 *                     follows is set, onion_stop_follow()
 *     shakes          onion_session_handshake()
 *     starts          BIO_onion_start_tls(): unread goes to back by
 *                     onion_chain_give_back()
 *     takes           BIO_read(): stack_read(), onion_session_get()
 *     heard_close     boundary() and onion_stop_remove()
 *     forget          onion_stop_remove() frees the layer
 *
 * ONION_MODEL in the environment is six numbers: how many layers, how many
 * records the transport holds, whether two layers may start together, whether
 * the ends may follow, whether messages and sessions are told apart by a bit,
 * and which care is left out, 0 for none: see check.sh.
 */

c_decl {
\#include <stdlib.h>
\#include <stdio.h>
}

#define MOST 3
#define ROOM 4

/* The cares that can be left out. */
#define REMOVED_BY_ONE (fault == 1)
#define CLOSED_LATE (fault == 2)
#define EARLY_AS_TEXT (fault == 3)
#define EARLY_LOST (fault == 4)
#define BOUNDARY_UNTOLD (fault == 5)
#define STARTED_UNEVEN (fault == 6)
#define LOWERED_BY_PEER (fault == 7)
#define STOPPED_SHAKING (fault == 8)
#define FOLLOWED_IN_A_WRITE (fault == 9)
#define WRITTEN_SHAKING (fault == 10)
#define TWO_WINNERS (fault == 11)
#define WAITED_BUSILY (fault == 12)

mtype = { FIRST, SECOND, ASK, YES, NO, END, SHAKE, TICKET, CLOSE };

/* kind, layer, session of it, and a number or plan */
chan wire0 = [ROOM] of { mtype, byte, bit, byte };
chan wire1 = [ROOM] of { mtype, byte, bit, byte };
chan back0 = [1] of { mtype, byte, bit, byte };
chan back1 = [1] of { mtype, byte, bit, byte };

byte r[2], w[2];

byte layers, room, fault;
bit two, may_follow, counted;

/* A plan: 1 the asker is the client of the first layer, 2 of the second. */
#define BOTH 4
#define count_of(p) (1 + ((p) & BOTH) / BOTH)

/*
 * A handshake. The client sends in 0 and 2, the server in 1 and 3, which is
 * its ticket; each reads in between.
 */
#define DONE 4
#define is_mine(k) ((hs[k] % 2 == 0) == client[k])

#define NOWHERE 255

/* Nothing is under way that a new message would fall into. */
#define idle (!about && !asked && !reply && !half && stop == NOWHERE \
              && owed == 0)
#define can_read(k) (hs[k] >= 3)
#define can_write(k) (hs[k] == DONE || WRITTEN_SHAKING)
#define has_room (len(out) < room)
#define put(kind, k, n) out!kind, k, session[k], n

/* Both directions have left it. */
inline forget(k) {
    if
    :: k > r[me] && k > w[me] -> hs[k] = 0; client[k] = 0
    :: else
    fi
}

inline new_layer(asks) {
    r[me]++;
    w[me]++;
    session[r[me]] = session[r[me]] ^ counted;
    hs[r[me]] = 0;
    client[r[me]] = ((plan & 1) == asks);
    plan = plan / 2
}

inline follow() {
    if
    :: follows && w[me] > r[me] && (!half || FOLLOWED_IN_A_WRITE) &&
       stop > r[me] -> stop = r[me]
    :: else
    fi
}

inline heard_close() {
    assert(k == r[me] && can_read(k) && !got);
    r[me]--;
    if
    :: BOUNDARY_UNTOLD
    :: else -> told = r[me]
    fi;
    if
    :: LOWERED_BY_PEER && w[me] > r[me] && !half -> w[me] = r[me]
    :: else
    fi;
    forget(k);
    follow()
}

inline heard_shake() {
    assert(hs[k] < DONE && !is_mine(k));
    hs[k]++
}

inline heard() {
    assert(k <= r[me]);
    assert(n_session == session[k]);
    if
    :: kind == SHAKE -> heard_shake()
    :: kind == TICKET -> assert(client[k] && can_read(k))
    :: kind == CLOSE -> heard_close()
    :: else ->
        assert(k == r[me] && k == told && can_read(k));
        if
        :: kind == FIRST -> assert(!got && n == expected); got = 1
        :: kind == SECOND -> assert(got && n == expected);
            got = 0; expected = expected ^ counted
        :: kind == ASK && asked && me == 0 && !TWO_WINNERS
        :: kind == ASK && !(asked && me == 0 && !TWO_WINNERS) ->
            asked = 0; reply = 1; plan = n
        :: kind == YES -> assert(asked); asked = 0; about = 1; plan = n;
            asker = 1
        :: kind == NO -> assert(asked); asked = 0
        :: kind == END -> assert(k == 0); heard_end = 1
        fi
    fi
}

/* Read before the layer it is for was started: handed over by the start. */
inline took_early() {
    if
    :: EARLY_AS_TEXT -> assert(k == r[me])
    :: EARLY_LOST
    :: else -> assert(kind == SHAKE && k == r[me] + 1);
        early!kind, k, n_session, n
    fi
}

inline takes() {
    if
    :: (len(early) > 0) && !about -> early?kind, k, n_session, n
    :: else -> in?kind, k, n_session, n
    fi;
    if
    :: about -> took_early()
    :: else -> heard();
        assert((len(in) > 0) || (len(early) > 0) || about || r[me] == w[1 - me])
    fi;
    kind = 0; k = 0; n_session = 0; n = 0
}

inline starts() {
    told = r[me] + count_of(plan);
    do
    :: new_layer(asker);
        if
        :: r[me] < told
        :: else -> break
        fi
    od;
    about = 0; asker = 0; plan = 0
}

/* The outermost layer that is not done goes first. */
inline find_shaking() {
    k = 1;
    do
    :: k < w[me] && hs[k] == DONE -> k++
    :: else -> break
    od
}

inline shakes() {
    find_shaking();
    if
    :: k <= w[me] && hs[k] < DONE && is_mine(k) ->
        if
        :: hs[k] == 3 -> put(TICKET, k, 0)
        :: else -> put(SHAKE, k, 0)
        fi;
        hs[k] = (hs[k] == 2 || hs[k] == 3 -> DONE : hs[k] + 1)
    :: else
    fi;
    k = 0
}

#define shaking1 (w[me] >= 1 && hs[1] < DONE)
#define shaking2 (w[me] >= 2 && hs[2] < DONE)
#define shaking3 (w[me] >= 3 && hs[3] < DONE)
#define has_to_shake ((shaking1 && is_mine(1)) \
    || (!shaking1 && shaking2 && is_mine(2)) \
    || (!shaking1 && !shaking2 && shaking3 && is_mine(3)))

inline closes() {
    if
    :: CLOSED_LATE -> owed = w[me]
    :: else -> put(CLOSE, w[me], 0)
    fi;
    w[me]--;
    if
    :: REMOVED_BY_ONE && r[me] > w[me] -> r[me] = w[me]; told = r[me]
    :: else
    fi;
    k = w[me] + 1;
    forget(k);
    k = 0;
    if
    :: w[me] == stop -> stop = NOWHERE
    :: else
    fi
}

inline writes_second() {
    put(SECOND, w[me], number);
    number = number ^ counted;
    half = 0;
    follow()
}

inline replies() {
    if
    :: (r[me] == w[me] || STARTED_UNEVEN) && !finishing &&
       w[me] + count_of(plan) <= layers &&
       r[me] + count_of(plan) <= layers ->
        put(YES, w[me], plan); about = 1
    :: else -> put(NO, w[me], 0); plan = 0
    fi;
    reply = 0
}

proctype end(bit me; chan in; chan out; chan early) {
    bit follows, finishing, ended, heard_end;
    bit asked, reply, about, asker;     /* of a start */
    byte plan;
    byte stop = NOWHERE, owed;
    bit half, got;                      /* of a message, written and read */
    bit number, expected;
    byte told;                          /* the depth the application knows */
    byte hs[MOST + 1];
    bit client[MOST + 1], session[MOST + 1];
    mtype kind;
    byte k, n;
    bit n_session;

    hs[0] = DONE;
    if
    :: may_follow -> follows = 1
    :: true
    fi;
    do
    :: d_step { ((len(in) > 0) && (!about || (len(early) == 0))) ||
                ((len(early) > 0) && !about) -> takes() }
    :: d_step { has_room && !about && has_to_shake -> shakes() }
    :: d_step { about -> starts() }
    :: d_step { has_room && half && can_write(w[me]) && !about ->
                writes_second() }
    :: d_step { stop != NOWHERE && has_room && !about && owed == 0 &&
                (!half || FOLLOWED_IN_A_WRITE) &&
                (hs[w[me]] == DONE || STOPPED_SHAKING) -> closes() }
    :: d_step { owed != 0 && has_room -> put(CLOSE, owed, 0); owed = 0 }
    :: d_step { reply && stop == NOWHERE && !half && !about && has_room &&
                owed == 0 && can_write(w[me]) -> replies() }
    :: !finishing -> progress_finishes: finishing = 1
    :: d_step { finishing && idle && w[me] > 0 -> stop = 0 }
    :: d_step { finishing && idle && w[me] == 0 && r[me] == 0 && !ended &&
                has_room -> put(END, 0, 0); ended = 1 }
    :: finishing && ended && heard_end && !reply -> break
    :: WAITED_BUSILY && !has_room -> skip

    /* What the application begins. */
    :: d_step { !finishing && has_room && !half && !about && !asked && !reply &&
                stop == NOWHERE && can_write(w[me]) ->
                put(FIRST, w[me], number); half = 1 } ->
       progress_writes: skip
    :: atomic { !finishing && idle && has_room && can_write(w[me]) &&
                (r[me] == w[me] || STARTED_UNEVEN) && w[me] < layers ->
                if
                :: n = 0
                :: n = 1
                :: two && w[me] + 2 <= layers -> n = BOTH
                :: two && w[me] + 2 <= layers -> n = BOTH + 1
                fi;
                if
                :: n >= BOTH -> n = n + 2
                :: true
                fi;
                put(ASK, w[me], n); asked = 1; n = 0 } ->
       progress_asks: skip
    :: atomic { !finishing && idle && w[me] > 0 ->
                if
                :: stop = w[me] - 1
                :: w[me] > 1 -> stop = w[me] - 2
                :: w[me] > 2 -> stop = w[me] - 3
                fi } ->
       progress_stops: skip
    od;
    assert(r[me] == 0 && w[me] == 0 && (len(in) == 0) && (len(early) == 0))
}

init {
    c_code {
        int a, b, c, d, e, f;
        char *text = getenv("ONION_MODEL");

        if (text == NULL ||
            sscanf(text, "%d %d %d %d %d %d", &a, &b, &c, &d, &e,
                      &f) != 6) {
            fputs("ONION_MODEL is not set\n", stderr);
            exit(2);
        }
        now.layers = a;
        now.room = b;
        now.two = c;
        now.may_follow = d;
        now.counted = e;
        now.fault = f;
    };
    atomic {
        run end(0, wire1, wire0, back0);
        run end(1, wire0, wire1, back1)
    }
}

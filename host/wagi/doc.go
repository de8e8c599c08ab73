// Package wagi runs WASI commands as CGI programs (RFC 3875): any program whose
// main reads standard input and writes standard output is a Function, with no
// SDK.
//
//   - Meta-variables, the Function's variables and its secrets are the
//     environment; see environ.go. The only argument is the program's name, the
//     Function's: query strings never become arguments (RFC 3875, 4.4 leaves
//     that to servers), because programs have taken them for options.
//   - Standard input is the request's body. Its end is the end of the body;
//     CONTENT_LENGTH is there only if the client gave it.
//   - Standard output is the answer, as Parse reads it. It is sent when the
//     program has ended, up to Limits.Response bytes; a write beyond that fails
//     with EFBIG, and there is no answer. To HEAD it is passed on as it was
//     written; leaving out the body is up to the Responder, as for any guest.
//   - Standard error goes to the log, line by line.
//   - An event is a run with POST, the path /__scheduled, /__queue or /__kv, and
//     variables which no request can set; see event.go. A batch of a queue is the input as
//     JSON, and the value of a change of KV as it is. What the program writes is not sent
//     to anybody; but JSON about a batch says which messages are done with, and which are
//     to come again: {"acks": [{"id": "..."}], "retries": [{"id": "...", "delay_seconds": 60}]}.
//   - Exit code 0, or the return of main, is success. With any other code an
//     answer that was written is still sent, and a warning logged; without one,
//     as after a trap, the Invocation has failed. A program that ends well but
//     writes nothing has failed too.
package wagi

// Package host owns what a guest may do: the Call (the host's side of one
// Invocation), the Bindings and Services it draws on, its Limits, Usage and
// Outcome. It knows no WebAssembly engine; host/abi joins the two.
//
// Three lifetimes carry it: Services live as long as the Node, Bindings as long
// as a Version, a Call as long as an Invocation, after which it is reused. Start
// reading at Call.
package host

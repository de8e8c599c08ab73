// Package secret keeps what users entrust to a node from whoever sees its disk.
//
// A Key, which the node is given from outside, seals one data key per account;
// data keys seal the secrets. So the Key changes without a secret being touched,
// and all secrets of an account end with its data key. Start reading at Keyring;
// seal.go has the format.
//
// What is sealed says by which key, and opens only for the account, Function,
// name and value id that it was sealed for: exchanged, altered or truncated
// records are errors, never other values and never empty ones. Sealing hides a
// secret's value; its name and its length to the byte are not hidden.
package secret

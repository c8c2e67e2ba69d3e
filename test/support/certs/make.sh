#!/bin/sh
# Makes the certificates of the tests: a CA, a server's certificate from it, one with an awkward subject, and a CA that
# nobody trusts. They are good from 2020 to 2120 and protect nothing: their keys are public.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -r "$work"' EXIT
cat >"$work/ca.cnf" <<END
[ca]
default_ca = here
[here]
new_certs_dir = $work
database = $work/index
rand_serial = yes
unique_subject = no
default_md = sha256
default_startdate = 20200101000000Z
default_enddate = 21200101000000Z
policy = any
[any]
OU = optional
O = optional
CN = optional
[req]
distinguished_name = none
[none]
[authority]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost,IP:127.0.0.1
[awkward]
basicConstraints = CA:FALSE
extendedKeyUsage = serverAuth
subjectAltName = DNS:awkward.test
END
: >"$work/index"
request() { # name subject
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/$1.key"
  openssl req -new -utf8 -config "$work/ca.cnf" -key "$work/$1.key" -subj "$2" -out "$work/$1.csr"
}
sign() { # name extensions and how to sign
  name=$1 extensions=$2
  shift 2
  openssl ca -batch -notext -preserveDN -utf8 -config "$work/ca.cnf" -extensions "$extensions" -in "$work/$name.csr" -out "$name.pem" "$@"
}
for ca in ca stranger; do
  request $ca "/O=Sumac/CN=$ca"
  sign $ca authority -selfsign -keyfile "$work/$ca.key"
done
request server '/O=Sumac/CN=localhost'
sign server server -cert ca.pem -keyfile "$work/ca.key"
# A comma, a backslash, capital letters, double spaces, an accent and the same key twice, not side by side.
request awkward '/OU=first/O=Sumac, the  Tree \\ Café/OU=second/CN=awkward.test'
sign awkward awkward -cert ca.pem -keyfile "$work/ca.key"
cp "$work/server.key" "$work/awkward.key" .
chmod 644 *.key

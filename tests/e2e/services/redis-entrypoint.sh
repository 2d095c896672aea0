# The public image is built to answer other containers, Debian's server is not.
exec "$@" --protected-mode no

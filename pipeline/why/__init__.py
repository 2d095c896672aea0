"""Why a surge: what its excess is made of, and whether it was people; pure functions of counts."""

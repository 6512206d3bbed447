"A helper of `trl.trainer.utils` that has no counterpart: the import says what does its work."
# Stops: batch_decode
from rmkit import RewardTrainer, decode_and_strip_padding  # noqa: F401

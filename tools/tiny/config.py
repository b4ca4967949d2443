"""Sizes of the tiny model, ids of its vocabulary, and where the training keeps its state."""

import os
from pathlib import Path

# All training state lives outside the repository.
WORK = Path(os.environ.get("G3N_TINY_WORK", Path.home() / "g3n-tiny/work"))
EXPORT = Path(os.environ.get("G3N_TINY_EXPORT", Path.home() / "g3n-tiny/export"))

# ---- vocabulary: the layout of Gemma's, with fewer learned pieces -------------------------------
TEXT_VOCAB = 1024  # ids below this have a per-layer embedding row
BOI, BOA = TEXT_VOCAB - 2, TEXT_VOCAB - 1
VISION_OFFSET, AUDIO_OFFSET = TEXT_VOCAB, TEXT_VOCAB + 128
EOI, IMAGE = VISION_OFFSET, VISION_OFFSET + 1
EOA, AUDIO = AUDIO_OFFSET, AUDIO_OFFSET + 1
VOCAB = TEXT_VOCAB + 256
PAD, EOS, BOS, UNK, START_TURN, END_TURN = 0, 1, 2, 3, 105, 106

IMAGE_SIZE = 256  # pixels; the tower gives one soft token per 16 x 16 pixels
IMAGE_TOKENS = 256
AUDIO_TOKENS = 188

# ---- text decoder --------------------------------------------------------------------------------
HIDDEN = 128
LAYER_TYPES = ["sliding_attention", "sliding_attention", "full_attention"] * 3
KV_SHARED = 3  # layers 6, 7 (sliding) read layer 4's K/V, layer 8 (full) reads layer 5's
WIDTHS = [1024, 1024, 512, 512, 512, 512, 512, 1024, 512]
SPARSITY = [0.95, 0.95, 0.95] + [0.0] * 6
WINDOW = 128

VISION_ARGS = {
    "channel_multiplier": 0.1,
    "stem_size": 32,
    "fix_stem": True,
    "layer_scale_init_value": 0.1,
}


def hf_config():
    """The whole model's Gemma3nConfig."""
    from transformers import Gemma3nConfig

    text = dict(
        vocab_size=VOCAB,
        vocab_size_per_layer_input=TEXT_VOCAB,
        hidden_size=HIDDEN,
        hidden_size_per_layer_input=32,
        intermediate_size=WIDTHS,
        num_hidden_layers=len(LAYER_TYPES),
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,
        layer_types=LAYER_TYPES,
        num_kv_shared_layers=KV_SHARED,
        sliding_window=WINDOW,
        activation_sparsity_pattern=SPARSITY,
        laurel_rank=16,
        max_position_embeddings=8192,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )
    vision = dict(
        architecture="mobilenetv5_300m_enc",
        hidden_size=2048,
        vocab_size=128,
        vocab_offset=VISION_OFFSET,
        do_pooling=False,
        model_args=VISION_ARGS,
    )
    audio = dict(
        hidden_size=128,
        conf_num_hidden_layers=4,
        conf_num_attention_heads=4,
        sscp_conv_channel_size=[32, 16],
        vocab_size=128,
        vocab_offset=AUDIO_OFFSET,
    )
    return Gemma3nConfig(
        text_config=text,
        vision_config=vision,
        audio_config=audio,
        audio_soft_tokens_per_image=AUDIO_TOKENS,
        vision_soft_tokens_per_image=IMAGE_TOKENS,
        boi_token_id=BOI,
        eoi_token_id=EOI,
        image_token_id=IMAGE,
        boa_token_id=BOA,
        eoa_token_id=EOA,
        audio_token_id=AUDIO,
        pad_token_id=PAD,
        bos_token_id=BOS,
        eos_token_id=[EOS, END_TURN],
        tie_word_embeddings=True,
    )

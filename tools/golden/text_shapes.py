"""The tiny checkpoints of the golden text tests: what each one is there to catch."""
from dataclasses import dataclass, field

S, F = 'sliding_attention', 'full_attention'


@dataclass
class Shape:
    name: str
    why: str
    text: dict                       # Gemma3nTextConfig fields
    dtype: str = 'BF16'              # of matrices
    vector_dtype: str = ''           # of tensors with one dimension; '': as matrices
    shards: int = 1
    multimodal: bool = False         # hub layout: model.language_model.*, hard embeddings of both modalities
    old_config: bool = False         # config.json as transformers 4.53 wrote it
    omit: tuple = ()                 # fields left to their defaults in config.json
    one_width: bool = False          # intermediate_size as one number
    faint: tuple = ()                # matrices so small that the floor of AltUp's magnitudes is reached
    unused_kv: bool = False          # K/V tensors of shared layers are in the file, as in the hub's
    prompts: tuple = (5, 40)         # tokens; the first, shorter than the window, keeps every stage
    positions: tuple = ()            # of long prompts, whose logits are kept; empty: all
    seed: int = 0
    coupling: float = 1.0            # of the AltUp streams (tame_weights.py)
    multimodal_vocab: int = 8        # hard rows of each modality
    tower_width: dict = field(default_factory=lambda: {'vision': 40, 'audio': 24})


def _text(**fields):
    base = dict(vocab_size=320, vocab_size_per_layer_input=304, hidden_size=64, num_hidden_layers=6, intermediate_size=96,
                num_attention_heads=4, num_key_value_heads=2, head_dim=16, hidden_size_per_layer_input=16, laurel_rank=8,
                num_kv_shared_layers=2, sliding_window=8, max_position_embeddings=256,
                layer_types=[S, S, F, S, F, S], activation_sparsity_pattern=[0.95, 0.9, 0.0, 0.0, 0.5, 0.0])
    base.update(fields)
    return base


def _theta(full, sliding):
    return {'full_attention': {'rope_type': 'default', 'rope_theta': full},
            'sliding_attention': {'rope_type': 'default', 'rope_theta': sliding}}


SHAPES = [
    Shape('causal_f32', 'Gemma3nForCausalLM in float32, names model.*, one file',
          _text(vocab_size=240, vocab_size_per_layer_input=224, hidden_size=48, intermediate_size=64, num_hidden_layers=4,
                layer_types=[S, F, S, F],
                activation_sparsity_pattern=[0.85, 0.0, 0.7, 0.0]), dtype='F32', one_width=True,
          faint=('altup_projections.1', 'altup_unembed_projections.0'), seed=11),
    Shape('hub_bf16', 'the hub layout: bfloat16, model.language_model.*, old config, hard multimodal rows, unused K/V',
          _text(vocab_size=336, vocab_size_per_layer_input=320, rope_parameters=_theta(250000.0, 5000.0)),
          multimodal=True, old_config=True, unused_kv=True, seed=12),
    Shape('sharded_f16', 'three shards and an index, float16, untied output table, a strong final softcap',
          _text(num_hidden_layers=5, layer_types=[S, S, F, S, F], activation_sparsity_pattern=[0.95, 0.0, 0.95, 0.0, 0.0],
                tie_word_embeddings=False, final_logit_softcapping=2.5, num_key_value_heads=1),
          dtype='F16', shards=3, seed=13),
    Shape('odd_mixed', 'odd widths everywhere, three streams, a full layer every third, unaligned float32 vectors, eps 1e-3',
          _text(vocab_size=301, vocab_size_per_layer_input=287, hidden_size=66, num_attention_heads=6, num_key_value_heads=3,
                head_dim=18, intermediate_size=[100, 37, 160, 64, 45, 72], hidden_size_per_layer_input=10, laurel_rank=5,
                altup_num_inputs=3, sliding_window=7, layer_types=[S, S, F, S, S, F], num_kv_shared_layers=3,
                activation_sparsity_pattern=[0.9, 0.95, 0.0, 0.7, 0.0, 0.0], rms_norm_eps=1e-3),
          vector_dtype='F32', prompts=(5, 29), seed=14),
    # The sparse layers are wide: of 48 gates two survive, sometimes both near zero, and the norm behind them then amplifies
    # rounding tenfold (measured: 2.9e-5 between two correct float32 implementations).
    Shape('mini_e4b', 'E4B in small: 35 layers, 15 shared, layer types and sparsity left to their defaults',
          _text(vocab_size=144, vocab_size_per_layer_input=128, hidden_size=32, num_hidden_layers=35,
                intermediate_size=[128] * 10 + [32] * 25, num_attention_heads=4, num_key_value_heads=1, head_dim=8,
                hidden_size_per_layer_input=8, laurel_rank=4, num_kv_shared_layers=15, layer_types=None,
                activation_sparsity_pattern=None), omit=('layer_types', 'activation_sparsity_pattern'),
          prompts=(3, 40), seed=15, coupling=0.5),
    Shape('mixed_widths', 'mix-and-match MLP widths, a file that says nothing of AltUp, softcap or eps',
          _text(hidden_size=48, num_hidden_layers=10, num_kv_shared_layers=4,
                intermediate_size=[96, 48, 48, 96, 48, 48, 32, 96, 32, 48], layer_types=[S, S, S, S, F, S, S, S, S, F],
                activation_sparsity_pattern=[0.95] * 3 + [0.0] * 7),
          omit=('altup_num_inputs', 'altup_active_idx', 'altup_correct_scale', 'final_logit_softcapping', 'rms_norm_eps'),
          seed=16),
    Shape('other_stream',
          'the layer works on stream 1, sparsity below one half, no output scale, a key head per query head, no shared layers',
          _text(hidden_size=32, num_hidden_layers=3, intermediate_size=32, num_attention_heads=2, num_key_value_heads=2,
                num_kv_shared_layers=0, layer_types=[S, F, S], activation_sparsity_pattern=[0.5, 0.0, 0.3],
                altup_active_idx=1, altup_correct_scale=False), seed=17),
    Shape('long_context', 'window 512, 32,768 tokens; kept: a few positions of the end and of the window\'s edges',
          _text(vocab_size=192, vocab_size_per_layer_input=180, hidden_size=32, num_hidden_layers=6, intermediate_size=32,
                num_attention_heads=2, num_key_value_heads=1, head_dim=8, hidden_size_per_layer_input=8, laurel_rank=4,
                sliding_window=512, max_position_embeddings=32768, layer_types=[S, F, S, F, S, F],
                rope_parameters=_theta(40.0, 10.0),  # small bases: angles so large that their float32 rounding shows
                activation_sparsity_pattern=[0.95, 0.0, 0.0, 0.0, 0.0, 0.0]),
          prompts=(32768,), positions=(0, 510, 511, 512, 1023, 8191, 16384, 20000, 30000, 32700, 32766, 32767), seed=18),
]

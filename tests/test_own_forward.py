"A model whose forward gives something else than the head's value at the last token: its own forward is what counts"
import logging
from dataclasses import dataclass

import pytest
import torch
from torch import nn
from transformers import (BartConfig, BartForSequenceClassification, BertConfig, BertForSequenceClassification,
                          DistilBertConfig, DistilBertForSequenceClassification, GPT2Config,
                          GPT2ForSequenceClassification, LlamaConfig, LlamaForSequenceClassification, LlamaModel,
                          LlamaPreTrainedModel, T5Config, T5ForSequenceClassification)
from transformers.modeling_outputs import ModelOutput, SequenceClassifierOutput

from rmkit import RewardConfig, RewardModel, RewardTrainer
from rmkit.flat import needs_padding
from rmkit.head import own_forward, rewards, token_rewards
from rmkit.model import add_lora, prepare_for_reward
from rmkit.synthetic import make_pairs, tiny_tokenizer

TOKENIZER = tiny_tokenizer()
SIZES = dict(vocab_size=len(TOKENIZER), hidden_size=16, intermediate_size=24, num_hidden_layers=2,
             num_attention_heads=2, max_position_embeddings=512, initializer_range=0.2,
             pad_token_id=TOKENIZER.pad_token_id, num_labels=1)
TEXTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13, 14], [15, 16, 17, 18]]


class Base(LlamaForSequenceClassification):
    def values(self, input_ids, attention_mask):
        return self.score(self.model(input_ids, attention_mask=attention_mask).last_hidden_state)[..., 0]

    def last(self, values, attention_mask):
        return values[torch.arange(len(values)), attention_mask.sum(1) - 1]


class Mean(Base):
    def forward(self, input_ids, attention_mask=None, **kwargs):
        values = self.values(input_ids, attention_mask)
        return SequenceClassifierOutput(logits=((values * attention_mask).sum(1) / attention_mask.sum(1))[:, None])


class CarelessMean(Base):
    "Over the whole row, padding included"
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return (self.values(input_ids, attention_mask).mean(1),)


class Tanh(Base):
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return torch.tanh(self.last(self.values(input_ids, attention_mask), attention_mask))


class Scaled(Base):
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return {"rewards": 3 * self.last(self.values(input_ids, attention_mask), attention_mask) + 1}


class Clamped(Base):
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return {"end_scores": self.last(self.values(input_ids, attention_mask), attention_mask).clamp(max=0.1)[:, None]}


class FirstToken(Base):
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return {"reward": self.values(input_ids, attention_mask)[:, 1]}


@dataclass
class Scores(ModelOutput):
    scores: torch.Tensor | None = None
    end_scores: torch.Tensor | None = None


class TwoHeads(Base):
    "Two heads, added"
    def __init__(self, config):
        super().__init__(config)
        self.cost = nn.Linear(config.hidden_size, 1)
        self.post_init()

    def forward(self, input_ids, attention_mask=None, **kwargs):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        values = (self.score(hidden) - self.cost(hidden))[..., 0]
        return Scores(scores=values[..., None], end_scores=self.last(values, attention_mask)[:, None])


class HeadFirst(LlamaPreTrainedModel):
    "The head is defined before the backbone, which has a name of its own"
    def __init__(self, config):
        super().__init__(config)
        self.v_head = nn.Linear(config.hidden_size, 1, bias=False)
        self.backbone = LlamaModel(config)
        self.post_init()

    def get_input_embeddings(self): return self.backbone.embed_tokens

    def forward(self, input_ids, attention_mask=None, **kwargs):
        values = self.v_head(self.backbone(input_ids, attention_mask=attention_mask).last_hidden_state)[..., 0]
        return {"value": torch.sigmoid(values[torch.arange(len(values)), attention_mask.sum(1) - 1])}


class Functional(Base):
    "The head's weight is used, and the head not called"
    def forward(self, input_ids, attention_mask=None, **kwargs):
        hidden = self.model(input_ids, attention_mask=attention_mask).last_hidden_state
        return 2 * self.last(nn.functional.linear(hidden, self.score.weight)[..., 0], attention_mask)


class EveryToken(Base):
    "A value at every token, squashed"
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return {"values": torch.tanh(self.values(input_ids, attention_mask))}


class ALittleMore(Base):
    "A small constant is added"
    def forward(self, input_ids, attention_mask=None, **kwargs):
        return self.last(self.values(input_ids, attention_mask), attention_mask) + 0.01


OWN = [ALittleMore, Mean, CarelessMean, Tanh, Scaled, Clamped, FirstToken, TwoHeads, HeadFirst, Functional, EveryToken]


def made(cls, seed=0):
    torch.manual_seed(seed)
    return cls(LlamaConfig(**SIZES)).eval()


def value(out):
    "What a forward gives for one text, by whatever name"
    if isinstance(out, dict): out = out.get("end_scores", next(iter(out.values())))
    if isinstance(out, tuple): out = out[0]
    return out.flatten()[-1]


def by_itself(model, texts=TEXTS):
    rows = [torch.tensor([ids]) for ids in texts]
    return torch.stack([value(model(input_ids=ids, attention_mask=torch.ones_like(ids))) for ids in rows])


def padded(texts=TEXTS, side="right", pad=0):
    longest = max(map(len, texts))
    def row(ids, fill):
        rest = [fill] * (longest - len(ids))
        return rest + ids if side == "left" else ids + rest
    return torch.tensor([row(ids, pad) for ids in texts]), torch.tensor([row([1] * len(ids), 0) for ids in texts])


def close(a, b, atol=1e-5): return torch.allclose(torch.as_tensor(a), torch.as_tensor(b), atol=atol, rtol=0)


@pytest.mark.parametrize("cls", OWN)
def test_rewards_are_what_the_forward_gives(cls, caplog):
    model = made(cls)
    with torch.no_grad(), caplog.at_level(logging.WARNING, "rmkit.head"):
        expected = by_itself(model)
        for side in ("right", "left"):
            for pad in (0, 5): assert close(rewards(model, *padded(side=side, pad=pad)), expected)
    assert expected.std() > 0.01 and caplog.text.count(f"what the forward of {cls.__name__} gives, on padded rows") == 1
    assert "forward of its own" in needs_padding(model)
    with pytest.raises(ValueError, match="forward of its own"): token_rewards(model, *padded())


@pytest.mark.parametrize("cls", OWN)
def test_gradients_are_those_of_the_forward(cls):
    model, same = made(cls).train(), made(cls).train()
    rewards(model, *padded()).square().sum().backward()
    by_itself(same).square().sum().backward()
    grads = [(p.grad, q.grad) for p, q in zip(model.parameters(), same.parameters()) if q.grad is not None]
    assert grads and all(close(a, b, 1e-4) for a, b in grads) and any(b.abs().max() > 1e-3 for _, b in grads)
    assert model.training and not any(m._forward_hooks for m in model.modules())


@pytest.mark.parametrize("cls", [Mean, CarelessMean, Tanh])
def test_training_and_evaluation_go_by_the_forward(cls, tmp_path):
    pairs = make_pairs(8, seed=0)
    args = RewardConfig(tmp_path, max_steps=1, per_device_train_batch_size=8, per_device_eval_batch_size=8,
                        report_to="none", disable_tqdm=True, dashboard=False, use_cpu=True)
    trainer = RewardTrainer(made(cls), args, None, pairs, pairs, tiny_tokenizer())
    assert not trainer.flat
    rows = list(trainer.eval_dataset)
    chosen, rejected = ([row[k] for row in rows] for k in ("chosen_ids", "rejected_ids"))
    with torch.no_grad(): expected = torch.stack([by_itself(trainer.model, texts) for texts in (chosen, rejected)], 1)
    assert close(trainer.predict(pairs).predictions, expected)
    loss = -nn.functional.logsigmoid(expected[:, 0] - expected[:, 1]).mean()
    assert close(trainer.evaluate(num_print_samples=0)["eval_loss"], loss)
    assert close(trainer.train().training_loss, loss)
    scores = RewardModel(trainer.model, trainer.processing_class, max_length=512).score_pairs(pairs)
    with torch.no_grad(): assert close(scores["reward_chosen"].to_numpy(), by_itself(trainer.model, chosen))


def test_an_adapter_on_it():
    from peft import LoraConfig
    model, tokenizer = prepare_for_reward(made(Tanh), tiny_tokenizer())
    model = add_lora(model, LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)).eval()
    with torch.no_grad(): assert close(rewards(model, *padded()), by_itself(model)) and own_forward(model)


V = dict(vocab_size=SIZES["vocab_size"], num_labels=1)
LAYERS = dict(encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
              encoder_ffn_dim=24)
PLAIN = {
    "llama": lambda: LlamaForSequenceClassification(LlamaConfig(**SIZES)),
    "gpt2": lambda: GPT2ForSequenceClassification(GPT2Config(**V, n_embd=16, n_layer=1, n_head=2, pad_token_id=0)),
    "bert": lambda: BertForSequenceClassification(BertConfig(**SIZES)),
    "distilbert": lambda: DistilBertForSequenceClassification(
        DistilBertConfig(**V, dim=16, n_layers=1, n_heads=2, hidden_dim=24)),
    "bart": lambda: BartForSequenceClassification(BartConfig(**V, d_model=16, decoder_ffn_dim=24, **LAYERS)),
    "t5": lambda: T5ForSequenceClassification(T5Config(**V, d_model=16, d_kv=8, d_ff=24, num_layers=1, num_heads=2)),
}


@pytest.mark.parametrize("kind", PLAIN)
@pytest.mark.parametrize("head", ["as made", "zeros"])
def test_plain_classifiers_need_no_forward_of_their_own(kind, head):
    torch.manual_seed(0)
    model = PLAIN[kind]().eval()
    if head == "zeros":
        for p in list(model.children())[-1].parameters(): nn.init.zeros_(p)
    assert own_forward(model) is None


@pytest.mark.parametrize("cls", [Tanh, Mean, CarelessMean, TwoHeads])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_shows_before_anything_is_learnt(cls, dtype):
    "Heads of zeros, which give the same whatever is done with them"
    model = made(cls).to(dtype)
    for name in ("score", "cost"):
        if hasattr(model, name): nn.init.zeros_(getattr(model, name).weight)
    assert "at the last token" in own_forward(model)
    if cls is TwoHeads: nn.init.zeros_(model.cost.bias)
    rewards(model, *padded())
    nn.init.normal_(model.score.weight)
    atol = 1e-5 if dtype == torch.float32 else 0.1
    with torch.no_grad(): assert close(rewards(model, *padded()), by_itself(model).float(), atol)


@pytest.mark.parametrize("wrap", [lambda m: torch.compile(m, backend="eager"), nn.DataParallel])
def test_wrapped(wrap):
    for cls in (LlamaForSequenceClassification, Tanh):
        model = made(cls)
        with torch.no_grad():
            expected = by_itself(model)
            assert close(rewards(wrap(model), *padded()).cpu(), expected)  # `DataParallel` takes any GPU that is there


def test_a_forward_of_several_values_is_told(caplog):
    class Several(Base):
        def forward(self, input_ids, attention_mask=None, **kwargs):
            return {"logits": self.model(input_ids).last_hidden_state[:, 0, :3]}
    with pytest.raises(ValueError, match=r"values of shape \(1, 3\) of logits for 1 texts; expected one value a text"):
        rewards(made(Several), *padded())


def test_a_plain_module_is_refused_with_what_is_expected(tmp_path):
    class Plain(nn.Module):
        def __init__(self):
            super().__init__()
            self.backbone, self.v_head = LlamaModel(LlamaConfig(**SIZES)), nn.Linear(16, 1)
    with pytest.raises(TypeError, match="Plain, which is no transformers model.*subclass of PreTrainedModel"):
        RewardTrainer(Plain(), RewardConfig(tmp_path, report_to="none"), None, make_pairs(4), None, tiny_tokenizer())

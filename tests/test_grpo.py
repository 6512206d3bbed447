"A reward model made here rewards a policy in TRL's GRPO."
import numpy as np
import pytest
from datasets import Dataset

from rmkit.scoring import RewardModel
from rmkit.synthetic import make_prompts, tiny_causal_lm

trl = pytest.importorskip("trl", reason="trl is not installed (pip install trl)")


def train(tmp_path, reward, tokenizer, prompts):
    config = trl.GRPOConfig(output_dir=str(tmp_path / "grpo"), max_steps=2, per_device_train_batch_size=4,
                            num_generations=4, max_completion_length=8, logging_steps=1, report_to="none", use_cpu=True,
                            bf16=False, save_strategy="no", seed=0)
    trainer = trl.GRPOTrainer(tiny_causal_lm(), reward_funcs=[reward], args=config, processing_class=tokenizer,
                              train_dataset=Dataset.from_dict(dict(prompt=prompts)))
    trainer.train()
    return [log for log in trainer.state.log_history if "reward" in log]


@pytest.mark.parametrize("is_chat", [True, False])
def test_as_a_function(is_chat, tmp_path, model, tokenizer):
    prompts = make_prompts(8, seed=0)
    prompts = prompts if is_chat else [prompt[-1]["content"] for prompt in prompts]
    seen = []
    inner = RewardModel(model, tokenizer).as_reward_func()

    def reward(prompts, completions, **kwargs):
        seen.append((prompts, completions, inner(prompts=prompts, completions=completions, **kwargs)))
        return seen[-1][2]

    reward.__name__ = inner.__name__
    logs = train(tmp_path, reward, tokenizer, prompts)
    assert len(logs) == 2 and all(np.isfinite(log["rewards/reward_model/mean"]) for log in logs)
    assert [log["reward"] for log in logs] == pytest.approx([np.mean(rewards) for *_, rewards in seen], abs=1e-5)
    assert isinstance(seen[0][1][0], list if is_chat else str)


def test_as_a_saved_folder(tmp_path, model, tokenizer):
    folder = str(tmp_path / "reward")
    model.save_pretrained(folder), tokenizer.save_pretrained(folder)
    logs = train(tmp_path, folder, tokenizer, make_prompts(8, seed=0))
    assert len(logs) == 2 and all(np.isfinite(log["reward"]) for log in logs)

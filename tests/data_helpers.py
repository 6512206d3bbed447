"Tokenizers for the tests of rmkit.data: every byte is a token, so nothing is unknown and every length is easy to tell."
from functools import cache

from tokenizers import Tokenizer, models, pre_tokenizers, processors
from tokenizers.decoders import ByteLevel
from transformers import PreTrainedTokenizerFast

SPECIAL = ["<unk>", "<pad>", "<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|begin|>", "<|eot|>", "<|header|>"]
GENERATION = "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
CHATML = ("{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}" + GENERATION)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}<|header|>{{ m.role }}<|header|>\n\n{{ m.content | trim }}<|eot|>{% endfor "
    "%}"
          "{% if add_generation_prompt %}<|header|>assistant<|header|>\n\n{% endif %}")
BARE = ("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}assistant: {% endif %}")
DOUBLE = "{{ bos_token }}" + CHATML.replace("<|im_end|>\n", "<|im_end|>\n{% if loop.last %}<|im_end|>\n{% endif %}")
STRICT = ("{% if messages[0].role == 'system' %}{{ raise_exception('no system role here') }}{% endif %}" + CHATML)


@cache
def byte_tokenizer(chat_template=CHATML, add_bos=False, add_eos=False, **names):
    "A byte-level tokenizer; `add_bos` and `add_eos` put them round plain text, as some tokenizers do by themselves."
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: i for i, token in enumerate(SPECIAL + alphabet)}
    core = Tokenizer(models.BPE(vocab, merges=[]))
    core.pre_tokenizer, core.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), ByteLevel()
    if add_bos or add_eos:
        core.post_processor = processors.TemplateProcessing(
            single="<s> " * add_bos + "$A" + " </s>" * add_eos, special_tokens=[("<s>", 2), ("</s>", 3)])
    names = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"} | names
    return PreTrainedTokenizerFast(tokenizer_object=core, chat_template=chat_template,
                                   additional_special_tokens=SPECIAL[4:], **names)


def user(content):
    return {"role": "user", "content": content}


def assistant(content, **more):
    return {"role": "assistant", "content": content, **more}

"""Writes a tokenizer of five words: python make_tokenizer.py FILE.json"""
import sys

from tokenizers import Tokenizer, models, pre_tokenizers, processors

words = {"[PAD]": 7, "[BEGIN]": 1, "[UNK]": 2, "red": 3, "green": 40, "blue": 500}
tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.post_processor = processors.TemplateProcessing(single="[BEGIN] $A", special_tokens=[("[BEGIN]", 1)])
tokenizer.enable_truncation(3)
tokenizer.enable_padding(pad_id=7, pad_token="[PAD]", length=6)
tokenizer.save(sys.argv[1])

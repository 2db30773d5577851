#!/usr/bin/env python3
"""Prints everyday sentences as the numbers of their tokens, a line each, as make_tokens.py takes them.

  tools/dev/venv text test/models/sentences.py TOKENIZER.json FIRST COUNT

A number has the same sentence everywhere; COUNT of them from number FIRST on, all different.
"""
import sys

from tokenizers import Tokenizer

PEOPLE = ["the teacher", "my sister", "a young doctor", "the old fisherman", "our neighbour", "a tired waiter",
          "the girl next door", "their grandfather", "a group of tourists", "the bus driver", "an angry customer",
          "my best friend", "the new student", "a quiet librarian", "the football team", "her little brother"]
VERBS = ["bought", "lost", "cleaned", "painted", "forgot", "repaired", "carried", "photographed", "sold", "hid",
         "found", "borrowed", "broke", "described", "dropped", "brought back"]
THINGS = ["a red umbrella", "three loaves of bread", "the wooden chair", "an old piano", "the keys of the car",
          "a basket of apples", "the kitchen window", "a letter from Paris", "two concert tickets", "the garden fence",
          "a cup of hot coffee", "the broken bicycle", "some fresh fish", "a small blue lamp", "the winter coats",
          "a map of the city"]
PLACES = ["in the market", "near the river", "behind the school", "at the railway station", "on the beach",
          "in the hospital", "under the bridge", "at home", "in front of the museum", "on a snowy mountain",
          "in a crowded restaurant", "by the lake", "in the library", "at the airport", "in the village", "on the roof"]
TIMES = ["this morning", "last summer", "after the storm", "before dinner", "on Friday night", "years ago",
         "every weekend", "during the holidays"]
TEMPLATES = ["{person} {verb} {thing} {place}.", "{time}, {person} {verb} {thing}.",
             "Why is {thing} {place}?", "I heard that {person} {verb} {thing} {time}.",
             "There was {thing} {place}, and {person} {verb} it {time}.", "Did you see {thing} {place}?",
             "Nobody knows who {verb} {thing} {place} {time}.", "{person} sat {place} and talked about {thing}."]


def sentence(number):
    """Words are drawn by one congruential generator, whose first state is the number."""
    state = number * 2654435761 + 12345

    def draw(words):
        nonlocal state
        state = (state * 6364136223846793005 + 1442695040888963407) % 2 ** 64
        return words[(state >> 33) % len(words)]

    text = draw(TEMPLATES).format(person=draw(PEOPLE), verb=draw(VERBS), thing=draw(THINGS), place=draw(PLACES),
                                  time=draw(TIMES))
    return text[0].upper() + text[1:]


def main(path, first, count):
    tokenizer = Tokenizer.from_file(path)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    texts = [sentence(int(first) + i) for i in range(int(count))]
    assert len(set(texts)) == len(texts), "a sentence is there twice"
    for row in tokenizer.encode_batch(texts):
        print(*row.ids)


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])

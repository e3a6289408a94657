#!/usr/bin/env python3
"""The job type "word-stats": counts the words of a text file."""

import collections
import csv
import re

from jobhost_handler import BadInput, handler, serve

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


@handler("word-stats")
def word_stats(job):
    if not job.inputs:
        raise BadInput("there is no input file: upload one with the job")
    top, name = job.params.get("top", 10), job.params.get("input", next(iter(job.inputs)))
    if not isinstance(top, int) or not 0 <= top <= 1000:
        raise BadInput("/top: must be a number from 0 to 1000")
    if not isinstance(name, str) or name not in job.inputs:
        raise BadInput(f"/input: there is no input {name!r}, there are {', '.join(job.inputs)}")
    source = job.inputs[name]
    counts, lines, read = collections.Counter(), 0, 0
    with open(source.path, encoding="utf-8", errors="replace") as text:
        for line in text:
            lines += 1
            read += len(line.encode("utf-8"))
            counts.update(word.lower() for word in WORD.findall(line))
            job.progress(read, source.size, f"{lines} lines")  # raises Cancelled when asked to stop
    with job.output("words.csv", "text/csv", "w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["word", "count"])
        rows.writerows(counts.most_common())
    job.info(f"{source.name}: {lines} lines, {len(counts)} different words")
    listed = [{"word": word, "count": count} for word, count in counts.most_common(top)]
    return {"lines": lines, "words": counts.total(), "distinct": len(counts), "top": listed}


if __name__ == "__main__":
    serve()

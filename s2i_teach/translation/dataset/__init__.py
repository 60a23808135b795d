"""A whole set of sketches becomes pictures, on one device or many, with nothing lost and nothing made twice.

Every picture depends on its own name alone (``request``), the names are cut into shards (``listing``) that processes claim in the
output folder (``claims``), each reads, translates and writes at the same time (``work``), and the last one to find all of it
done writes manifest and report (``finish``). ``run`` has :func:`s2i_teach.translate_dataset`.
"""

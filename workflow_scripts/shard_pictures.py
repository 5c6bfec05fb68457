"""List the pictures and deal them into shards; run by rule `shard_pictures`."""

from soco.logs import stage_log
from soco.pictures import write_shards

with stage_log(snakemake.log[0]):
    count = write_shards(snakemake.input.pictures, list(snakemake.output.shards))
    print(f"{count} pictures in {len(snakemake.output.shards)} shards")

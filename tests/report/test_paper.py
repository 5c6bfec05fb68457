from soco.report.paper import PAPER_ROWS, paper_rows


def test_rows_are_the_papers_tables():
    counts = {(row.format, row.detector) for row in PAPER_ROWS}
    assert len(PAPER_ROWS) == 11 and len(counts) == 3
    assert all(
        figures[0] < 50 and figures[1] > figures[0]
        for row in PAPER_ROWS
        for figures in (row.box, row.mask)
    )


def test_rows_are_spelled_as_metrics_are():
    supervised, star = paper_rows("lvis")
    assert supervised["box"] == {"AP": 20.4, "AP50": 32.9, "AP75": 21.7}
    assert (star["initialisation"], star["epochs"], star["mask"]["AP"]) == ("SoCo*", 400, 25.0)

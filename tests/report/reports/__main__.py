from tests.report.reports import write

write()

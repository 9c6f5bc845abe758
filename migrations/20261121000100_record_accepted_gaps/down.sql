DROP TABLE accepted_gaps;

// TestBed
